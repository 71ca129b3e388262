"""`expose` for the compiler: the value of each candidate and a score in, another order out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.python import Call, Item, Mapping, Raw, assigned
from mlsd_framework.codegen.row_code import RowCode
from mlsd_framework.codegen.service_code import RUNTIME, ServiceCode
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.expose.spec import ExposeSpec
from mlsd_framework.kinds.stages.row_names import Score, group, score
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ExposeSettings:
    """The share of all exposure that each value gets at least among the first `top`."""

    by: Value
    at_least: tuple[tuple[str | int, float], ...]
    top: int
    score: Score


class Expose:
    """Give groups of candidates their share of what is seen."""

    name = "expose"
    spec = ExposeSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Find the feature and the score; shares are of one whole, values of the feature's type."""
        if not scope.retrieves("expose"):
            return None
        by, worth = group(spec.by, "expose", scope), score(spec.score, "expose", scope)
        at = (*scope.at, "expose", "at_least")
        total = sum(spec.at_least.values())
        if total > 1 + _ROUNDING:
            scope.context.report("E2063", f"the shares of `expose` are {total:g} together", at, expected="1 at most")
            return None
        if by is None or worth is None:
            return None
        values: list[tuple[str | int, float]] = []
        for text, share in spec.at_least.items():
            value = text if by.type.text else _whole(text)
            if value is None:
                what = f"`expose` gives a share to `{text}`, and `{by.dotted}` is of type `{by.type}`"
                scope.context.report("E2063", what, (*at, text), key=True, expected="a whole number")
                return None
            values.append((value, share))
        return StageDraft((by, worth.value), (), ExposeSettings(by, tuple(values), spec.top, worth))

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:
        """Write the line."""
        code.run(stage, self.rows(stage, system, kinds, code))

    def rows(self, stage: Stage, system: System, kinds: ModelKinds, code: RowCode) -> list[str]:  # noqa: ARG002 - the extension point's signature
        """Return the line."""
        settings = stage.settings
        if not isinstance(settings, ExposeSettings):
            return []
        code.imports.add(f"{RUNTIME}.reranking.fairness", "exposed")
        asked: tuple[Item, ...] = (
            Raw("candidates"),
            Raw(code.value(settings.by)),
            Mapping(settings.at_least),
            settings.top,
        )
        named = (("score", settings.score.value.name),)
        return assigned("candidates", Call("exposed", asked, named), code.depth)


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
