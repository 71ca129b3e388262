"""What a target cannot express (3xxx)."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = ()
