"""The functions an expression may call: one entry each, from which checks, both homes' tests and the docs are made."""

from mlsd_framework.ir.functions import conditional, mathematics, text, time
from mlsd_framework.ir.functions.definition import Function, Parameter

FUNCTIONS: dict[str, Function] = {
    entry.name: entry for part in (conditional, mathematics, text, time) for entry in part.FUNCTIONS
}

__all__ = ["FUNCTIONS", "Function", "Parameter"]
