"""Feast: a plain feature repository."""
