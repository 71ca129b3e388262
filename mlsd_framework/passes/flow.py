"""Every value that a stage reads was in the request or written by a stage before it, with the same type."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.ir.features import RequestGroup, StoredGroup
from mlsd_framework.ir.serving import Endpoint, Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import DataType

# A second decision is a fault of the order of stages.
_ANSWERS: Final = ("action", "fallback_action")


@dataclass(frozen=True, slots=True)
class _Missing:
    """Values of one holder that a stage reads at one place and nothing gives."""

    stage: Stage
    values: list[Value]
    span: Span | None


def flow(system: System) -> Iterator[Diagnostic]:
    """Walk each pipeline as a checker walks a program.

    `score: fraud` before `fetch: [card]` whose features it uses → E2103.
    """
    for endpoint in system.serving:
        yield from _endpoint(endpoint, system)


def _endpoint(endpoint: Endpoint, system: System) -> Iterator[Diagnostic]:
    known = {value.dotted: value for value in endpoint.request}
    for index, stage in enumerate(endpoint.pipeline):
        missing: dict[tuple[str, Span | None], list[Value]] = {}
        for value in stage.reads:
            if value.dotted not in known:
                missing.setdefault((value.group or value.name, value.span), []).append(value)
            elif not _same(known[value.dotted].type, value.type):
                yield _other_type(stage, value, known[value.dotted].type)
            elif known[value.dotted].rows is not None and value.rows is None:
                yield _of_each(stage, value)
        for (_, span), values in missing.items():
            yield _missing(_Missing(stage, values, span), endpoint, system)
        yield from _keys(stage, {name: value.type for name, value in known.items()}, system)
        twice = [value.dotted for value in stage.writes if value.dotted in known and value.dotted not in _ANSWERS]
        if twice:
            what = f"the stage `{stage.name}` writes `{twice[0]}`{_more(twice)}, which is there already"
            help_ = "give one of the two another name, or leave the stage out"
            yield Diagnostic(code="E2010", what=what, span=stage.span, help=help_)
        known |= {value.dotted: value for value in stage.writes}
        if stage.on_error == "fallback" and not any(
            later.kind == "fallback" for later in endpoint.pipeline[index + 1 :]
        ):
            what = f"`{stage.name}` falls back, and no stage after it is a `fallback`"
            expected = "`- fallback: …` at the end of the pipeline"
            yield Diagnostic(code="E2111", what=what, span=stage.span, expected=expected)


def _same(there: DataType, wanted: DataType) -> bool:
    """Say whether a value can be taken for another: one kind of value in one unit; null is not told apart here."""
    if "null" in (there.name, wanted.name):
        return True
    return there.widened().not_null() == wanted.widened().not_null()


def _other_type(stage: Stage, value: Value, there: DataType) -> Diagnostic:
    return Diagnostic(
        code="E2112",
        what=f"the stage `{stage.name}` uses `{value.dotted}` as `{value.type}`, and in this pipeline it is `{there}`",
        span=value.span or stage.span,
        help="give the two columns one type and one unit, or one of them another name",
    )


def _of_each(stage: Stage, value: Value) -> Diagnostic:
    what = f"the stage `{stage.name}` works on the request, and each candidate has a `{value.dotted}` of its own"
    return Diagnostic(code="E2064", what=what, span=value.span or stage.span, expected="a value of the request")


def _keys(stage: Stage, known: dict[str, DataType], system: System) -> Iterator[Diagnostic]:
    """Hold the key that a stored group is read by against the key that it was computed by."""
    for group in getattr(stage.settings, "groups", ()):
        if not isinstance(group, StoredGroup):
            continue
        for name in group.key:
            column = system.source(group.sources[0]).column(name)
            if column is not None and name in known and not _same(known[name], column.type):
                what = f"`features.{group.name}` is known by `{name}` of type `{column.type}`"
                what += f", and in this pipeline it is `{known[name]}`"
                yield Diagnostic(code="E2112", what=what, span=stage.span, help="give the two columns one type")


def _more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _missing(one: _Missing, endpoint: Endpoint, system: System) -> Diagnostic:
    names = [value.dotted for value in one.values]
    return Diagnostic(
        code="E2103",
        what=f"the stage `{one.stage.name}` uses `{names[0]}`{_more(names)}, which no stage before it gives",
        span=one.span or one.stage.span,
        help=_cure(one.values[0], endpoint, system),
    )


def _cure(value: Value, endpoint: Endpoint, system: System) -> str:
    group = next((one for one in system.features if one.name == value.group), None)
    if isinstance(group, RequestGroup):
        return f"write `- compute: {group.name}` before it"
    if group is not None:
        return f"write `- fetch: [{group.name}]` before it"
    if value.name in {output.name for model in system.models for output in model.outputs}:
        return f"write `- score: {value.name}` before it"
    names = [one.name for one in endpoint.request]
    near = nearest(value.name, names)
    row = f"is a row of `{endpoint.source}`, which" if endpoint.source is not None else f"of `{endpoint.path}`"
    there = f"the request {row} has no `{value.name}`"
    return f"{there}; did you mean `{near}`?" if near and near[0] == value.name[0] else there
