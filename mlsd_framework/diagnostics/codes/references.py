"""References and types (2xxx)."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = ()
