"""Stages stand where they can do something: one decision, rules before it, the fallback last."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.serving import Endpoint, Stage
from mlsd_framework.ir.system import System

_ONCE = ("decide", "fallback", "retrieve")
_BY_SCORE = ("score", "boost", "freshen", "diversify")
_ARRANGING = ("diversify", "spread", "expose", "cap")
_ORDER = "fetch, compute, retrieve, score, rules, decide, explain, fallback"


def stage_order(system: System) -> Iterator[Diagnostic]:
    """Find stages that stand twice, too late, or where a later one undoes what they did.

    `rules` after `decide`, which never hears of them → E2048; `cap` before `boost`, which orders by score → E2048.
    """
    for endpoint in system.serving:
        yield from _twice(endpoint)
        yield from _late(endpoint)
        yield from _undone(endpoint)


def _twice(endpoint: Endpoint) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for stage in endpoint.pipeline:
        if stage.kind in _ONCE and stage.kind in seen:
            what = f"the pipeline of `{endpoint.path}` has a second `{stage.kind}`"
            yield Diagnostic(code="E2048", what=what, span=stage.span, help=f"leave one `{stage.kind}`")
        seen.add(stage.kind)


def _late(endpoint: Endpoint) -> Iterator[Diagnostic]:
    kinds = [stage.kind for stage in endpoint.pipeline]
    for index, stage in enumerate(endpoint.pipeline):
        what = None
        if stage.kind == "rules" and "decide" in kinds[:index]:
            what = f"the rules `{stage.name}` come after the decision, which so never hears of them"
        elif stage.kind != "fallback" and "fallback" in kinds[:index]:
            what = f"the stage `{stage.name}` comes after the `fallback`, which ends a pipeline"
        if what is not None:
            yield Diagnostic(code="E2048", what=what, span=stage.span, expected=f"the order {_ORDER}")


def _undone(endpoint: Endpoint) -> Iterator[Diagnostic]:
    """Find arrangements of candidates that a later stage undoes; `take` makes what stands first all that there is."""
    arranged: Stage | None = None
    explored: Stage | None = None
    for stage in endpoint.pipeline:
        what = expected = None
        if explored is not None and stage.kind in (*_BY_SCORE, *_ARRANGING, "filter"):
            what = f"the stage `{stage.name}` changes the order whose propensities `{explored.name}` has given"
            expected = f"`{stage.name}` before `{explored.name}`"
        elif arranged is not None and stage.kind in _BY_SCORE:
            what = f"the stage `{stage.name}` goes by score, which undoes what `{arranged.name}` has arranged"
            expected = f"`{stage.name}` before `{arranged.name}`, or a `take` between them"
        elif arranged is not None and arranged.kind == "cap" and stage.kind in ("spread", "expose"):
            what = f"the stage `{stage.name}` brings back what `{arranged.name}` has put behind"
            expected = f"`{stage.name}` before `{arranged.name}`, or a `take` between them"
        if what is not None:
            yield Diagnostic(code="E2048", what=what, span=stage.span, expected=expected)
        if stage.kind == "explore":
            explored = stage
        if stage.kind in _ARRANGING and (arranged is None or arranged.kind != "cap"):
            arranged = stage
        elif stage.kind in ("take", "retrieve"):
            arranged = None
