"""Serving (64xx): bundles, requests, limits."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = ()
