"""Features (62xx): windows, expressions, the online store."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = ()
