"""Names that differ in the spec differ in generated code too, where `group.feature` is written `group_feature`."""

from collections.abc import Iterable, Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.features import RequestGroup
from mlsd_framework.ir.system import System

Named = tuple[str, str, Span | None]


def distinct_names(system: System) -> Iterator[Diagnostic]:
    """Find two names that generated code would write as one variable, one constant or one file.

    The groups `Card` and `card` → E2010; `a.b_c` beside `a_b.c` → E2010.
    """
    declared = [(one.name.upper().replace("_", ""), f"the source `{one.name}`", one.span) for one in system.sources]
    yield from _clashes(declared)
    groups = [(one.name.upper().replace("_", ""), f"the group `{one.name}`", one.span) for one in system.features]
    yield from _clashes(groups)
    models = [(one.name.upper(), f"the model `{one.name}`", one.span) for one in system.models]
    yield from _clashes(models)
    yield from _clashes(_variables(system))


def _variables(system: System) -> Iterator[Named]:
    """Yield the variables of a pipeline: rows of stored groups, computed features, models' outputs."""
    for group in system.features:
        if isinstance(group, RequestGroup):
            for one in group.computed:
                yield f"{group.name}_{one.name}", f"the feature `{group.name}.{one.name}`", one.span
        else:
            yield group.name, f"the group `{group.name}`", group.span
            yield f"{group.name}_row", f"the row of the group `{group.name}`", group.span
    for model in system.models:
        yield model.name, f"the model `{model.name}`", model.span
        yield f"{model.name}_row", f"the row of the model `{model.name}`", model.span


def _clashes(names: Iterable[Named]) -> Iterator[Diagnostic]:
    seen: dict[str, str] = {}
    for key, shown, span in names:
        if key in seen:
            what = f"{shown} and {seen[key]} have one name in generated code"
            yield Diagnostic(code="E2010", what=what, span=span, help="give one of them another name")
        seen.setdefault(key, shown)
