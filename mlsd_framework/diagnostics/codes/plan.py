"""Plans and deployments (5xxx)."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = ()
