"""Stages stand where they can do something: one decision, rules before it, the fallback last."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.serving import Endpoint
from mlsd_framework.ir.system import System

_ONCE = ("decide", "fallback", "retrieve")
_ORDER = "fetch, compute, retrieve, score, rules, decide, explain, fallback"


def stage_order(system: System) -> Iterator[Diagnostic]:
    """Find stages that stand twice or too late.

    `rules` after `decide`, which never hears of them → E2048.
    """
    for endpoint in system.serving:
        yield from _twice(endpoint)
        yield from _late(endpoint)


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
