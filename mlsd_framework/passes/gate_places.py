"""A gate's `at` names a stage that is measured, and its `for` a part of the requests or items."""

from collections.abc import Iterator
from typing import Final

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.ir.metrics import ESTIMATES
from mlsd_framework.ir.models import Gate, Model
from mlsd_framework.ir.system import System

SLICES: Final = (
    "no_history",
    "cold_start",
    "warm",
    "new_to_user",
    "known_to_user",
    "discovery",
    "new_items",
    "old_items",
)
ASKED_AGAIN: Final = ("newcomers", "onboarded")
_WITHOUT_LISTS: Final = frozenset({"fetch", "compute", "rules", "decide", "explain", "fallback"})


def gate_places(system: System) -> Iterator[Diagnostic]:
    """Find gates at stages or for slices that a model's evaluation does not have.

    `ndcg >= 0.1 at retreive` → E2106 with `retrieve`.
    """
    for model in system.models:
        declared = {one.name for one in system.metrics.offline}
        for gate in model.gates:
            if gate.metric in ESTIMATES and gate.metric not in declared:
                # An estimate is of what users see, and of all of them.
                for role, name in (("at", gate.stage), ("for", gate.slice)):
                    if name is not None:
                        yield _unknown(model, gate, f"`{role} {name}`", None, [])
                continue
            places = (("at", gate.stage, _stages(model, system)), ("for", gate.slice, _slices(model, system)))
            for role, name, known in places:
                if name is not None and name not in known:
                    yield _unknown(model, gate, f"`{role} {name}`", nearest(name, known), known)


def _stages(model: Model, system: System) -> list[str]:
    """Return the stages whose lists are measured: none for a model that no pipeline of candidates is made with."""
    outcome = system.outcome
    if not model.ranks or outcome is None:
        return []
    pipeline = next((one.pipeline for one in system.serving if one.path == outcome.endpoint), ())
    kinds = [stage.kind for stage in pipeline]
    begin = kinds.index("retrieve") if "retrieve" in kinds else len(kinds)
    return [stage.name for stage in pipeline[begin:] if stage.kind not in _WITHOUT_LISTS]


def _slices(model: Model, system: System) -> list[str]:
    if not model.ranks:
        return []
    return [*SLICES, *(ASKED_AGAIN if system.metrics.onboarding is not None else ())]


def _unknown(model: Model, gate: Gate, said: str, near: str | None, known: list[str]) -> Diagnostic:
    return Diagnostic(
        code="E2106",
        what=f"a gate of `models.{model.name}` is {said}, which its evaluation does not have",
        span=gate.span,
        expected=f"one of: {', '.join(known)}" if known else f"a gate without {said}",
        help=f"did you mean `{near}`?" if near else None,
    )
