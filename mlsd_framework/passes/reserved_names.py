"""A name that becomes a Python identifier must not be a word of Python's."""

import keyword
from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.system import System

# Names that the generated service uses itself.
_OURS = frozenset({"action", "bundle", "call", "request", "reasons", "self", "sql", "store", "version", "degraded"})


def reserved_names(system: System) -> Iterator[Diagnostic]:
    """Find names that would break generated code.

    A column `class` → E2012 with `kind_`: another name and `column: class`.
    """
    for name, span, cure in _names(system):
        if keyword.iskeyword(name):
            yield Diagnostic(code="E2012", what=f"`{name}` is a word of Python's", span=span, help=cure)
        elif "__" in name or name.endswith("_"):
            yield Diagnostic(
                code="E2012",
                what=f"`{name}` has `__` in it or ends with `_`, which generated names use",
                span=span,
                help=cure,
            )
    for model in system.models:
        if model.name in _OURS:
            yield Diagnostic(
                code="E2012",
                what=f"`{model.name}` is a name that every service uses itself",
                span=model.span,
                help="give the model another name",
            )


def _names(system: System) -> Iterator[tuple[str, Span | None, str]]:
    for source in system.sources:
        yield source.name, source.span, "give the source another name"
        for column in source.columns:
            cure = f"give it another name, and say `column: {column.file_column or column.name}`"
            yield column.name, column.span, cure
    for group in system.features:
        yield group.name, group.span, "give the group another name"
        for feature in group.features:
            yield feature.name, feature.span, "give the feature another name"
    for model in system.models:
        yield model.name, model.span, "give the model another name"
