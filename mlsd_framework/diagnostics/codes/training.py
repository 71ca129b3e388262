"""Training (63xx): splits, models, metrics, gates, reports."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = ()
