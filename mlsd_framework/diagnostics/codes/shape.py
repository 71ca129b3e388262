"""Shape of a spec (1xxx): YAML, keys, values."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = ()
