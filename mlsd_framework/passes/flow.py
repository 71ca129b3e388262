"""Every value that a stage reads was in the request or written by a stage before it."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.ir.features import RequestGroup
from mlsd_framework.ir.serving import Endpoint, Stage, Value
from mlsd_framework.ir.system import System


def flow(system: System) -> Iterator[Diagnostic]:
    """Walk each pipeline as a checker walks a program.

    `score: fraud` before `fetch: [card]` whose features it uses → E2103.
    """
    for endpoint in system.serving:
        yield from _endpoint(endpoint, system)


def _endpoint(endpoint: Endpoint, system: System) -> Iterator[Diagnostic]:
    known = {value.dotted for value in endpoint.request}
    for index, stage in enumerate(endpoint.pipeline):
        missing: dict[tuple[str, Span | None], list[str]] = {}
        for value in stage.reads:
            if value.dotted not in known:
                holder = f"{value.group}" if value.group else value.name
                missing.setdefault((holder, value.span), []).append(value.dotted)
        for (_, span), names in missing.items():
            yield _missing(stage, names, span, endpoint, system)
        for value in stage.writes:
            if value.dotted in known:
                what = f"the stage `{stage.name}` writes `{value.dotted}`, which is there already"
                yield Diagnostic(
                    code="E2010",
                    what=what,
                    span=stage.span,
                    help="give one of the two another name, or leave the stage out",
                )
        known |= {value.dotted for value in stage.writes}
        if stage.on_error == "fallback" and not any(
            later.kind == "fallback" for later in endpoint.pipeline[index + 1 :]
        ):
            what = f"`{stage.name}` falls back, and no stage after it is a `fallback`"
            yield Diagnostic(
                code="E2111", what=what, span=stage.span, expected="`- fallback: …` at the end of the pipeline"
            )


def _missing(stage: Stage, names: list[str], span: Span | None, endpoint: Endpoint, system: System) -> Diagnostic:
    shown = f"`{names[0]}`" + (f" and {len(names) - 1} more of its group" if len(names) > 1 else "")
    return Diagnostic(
        code="E2103",
        what=f"the stage `{stage.name}` uses {shown}, which no stage before it gives",
        span=span or stage.span,
        help=_cure(Value(*_split(names[0]), stage.reads[0].type), endpoint, system),
    )


def _split(dotted: str) -> tuple[str | None, str]:
    group, dot, name = dotted.partition(".")
    return (group, name) if dot else (None, group)


def _cure(value: Value, endpoint: Endpoint, system: System) -> str | None:
    group = next((one for one in system.features if one.name == value.group), None)
    if isinstance(group, RequestGroup):
        return f"write `- compute: {group.name}` before it"
    if group is not None:
        return f"write `- fetch: [{group.name}]` before it"
    if any(value.name in {output.name for output in model.outputs} for model in system.models):
        return f"write `- score: {value.name}` before it"
    near = nearest(value.name, [one.name for one in endpoint.request])
    return f"did you mean `{near}`?" if near else f"the request is a row of `{endpoint.source}`"
