"""Faults as data: places, diagnostics, codes and the ways to print them."""
