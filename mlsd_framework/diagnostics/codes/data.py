"""Data (61xx): fetching, reading, checking, simulating."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = ()
