"""`explore` for the compiler: what may be explored in, another order with its propensities out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.python import Call, Item, Raw, assigned, emit, given, literal
from mlsd_framework.codegen.row_code import RowCode, row_value
from mlsd_framework.codegen.service_code import RUNTIME, ServiceCode, goes_on
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.ir.retrieval import CANDIDATES
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import BOOL, FLOAT64
from mlsd_framework.kinds.stages.explore.spec import ExploreSpec
from mlsd_framework.kinds.stages.row_conditions import conditions
from mlsd_framework.kinds.stages.row_names import condition, number
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds

RERANKING = f"{RUNTIME}.reranking"
_OF_EACH = {"epsilon_greedy": ("epsilon",), "thompson": ("successes", "trials", "prior")}


@dataclass(frozen=True, slots=True)
class Greedy:
    """A slot explores with probability `epsilon`, any of the pool alike."""

    epsilon: float


@dataclass(frozen=True, slots=True)
class Thompson:
    """Slots show the largest draws from what successes among trials say of each, after a prior."""

    successes: Value
    trials: Value
    prior: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ExploreSettings:
    """Which ranks of the first `top` may show which candidates from behind; `reads` are the condition's values."""

    how: Greedy | Thompson
    slots: tuple[int, ...]
    top: int
    pool: int
    where: Expression
    reads: tuple[Value, ...]


class Explore:
    """Show now and then what is not yet known."""

    name = "explore"
    spec = ExploreSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Lower the condition; slots are different ranks of the first `top`."""
        if not scope.retrieves("explore"):
            return None
        beyond = [rank for rank in spec.slots if rank > spec.top]
        if beyond or len(set(spec.slots)) < len(spec.slots):
            why = f"{beyond[0]} is not among the first {spec.top}" if beyond else "one stands there twice"
            what = f"the `slots` of `explore` are different ranks, and {why}"
            expected = f"different ranks from 1 to {spec.top}"
            scope.context.report("E2063", what, (*scope.at, "explore", "slots"), expected=expected)
        where, how = condition(spec.where, "explore", scope, "where"), _how(spec, scope)
        if where is None or how is None:
            return None
        reads = scope.reads(where, rows=CANDIDATES)
        counted = (how.successes, how.trials) if isinstance(how, Thompson) else ()
        span = scope.context.span(scope.at)
        writes = (
            Value(None, "propensity", FLOAT64.or_null(), span, CANDIDATES),
            Value(None, "explored", BOOL, span, CANDIDATES),
        )
        settings = ExploreSettings(how, tuple(sorted(spec.slots)), spec.top, spec.pool, where, reads)
        return StageDraft((*reads, *counted), writes, settings)

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:
        """Write the lines; without the stage no propensity is known."""
        if goes_on(stage):
            code.imports.add(f"{RERANKING}.slots", "unlogged")
            code.default(stage, candidates="unlogged(candidates)")
        code.run(stage, self.rows(stage, system, kinds, code))
        code.values |= {value.dotted: row_value(value.dotted) for value in stage.writes}

    def chances(self, stage: Stage, system: System, kinds: ModelKinds, code: RowCode) -> list[str]:  # noqa: ARG002 - the extension point's signature
        """Return the lines that say with which probability each candidate would be shown in each place."""
        settings = stage.settings
        if not isinstance(settings, ExploreSettings):
            return []
        lines, held = conditions(stage, settings.reads, (settings.where,), code)
        asked: tuple[Item, ...] = (Raw("candidates"), Raw(held[0]))
        named: tuple[tuple[str, Item], ...] = ()
        if isinstance(settings.how, Greedy):
            named = (("epsilon", settings.how.epsilon),)
        else:
            known, made = _posteriors(stage, settings.how, code)
            lines += made
            asked += (Raw(known),)
        slots = code.own(f"slots of {stage.name}", f"{stage.name}_slots")
        module = "epsilon_greedy" if isinstance(settings.how, Greedy) else "thompson"
        code.imports.add(f"{RERANKING}.{module}", "all_chances")
        return [*lines, *assigned("chances", Call("all_chances", (*asked, Raw(slots)), named), code.depth)]

    def rows(self, stage: Stage, system: System, kinds: ModelKinds, code: RowCode) -> list[str]:  # noqa: ARG002 - the extension point's signature
        """Return the lines: what may be explored, the seed of each request, then the draw."""
        settings = stage.settings
        if not isinstance(settings, ExploreSettings):
            return []
        code.imports.add(f"{RERANKING}.seeds", "seeds_of")
        code.imports.add(f"{RERANKING}.slots", "Slots")
        slots = code.own(f"slots of {stage.name}", f"{stage.name}_slots")
        ranks = Call("Slots", (settings.slots,), (("k", settings.top), ("pool", settings.pool)))
        code.declare(slots, f"{slots} = {emit(ranks, 0, len(slots) + 3)}", stage.span)
        lines, held = conditions(stage, settings.reads, (settings.where,), code)
        seeds = code.name(f"seeds of {stage.name}", "seeds")
        lines.append(f"{seeds} = seeds_of({code.request_ids}, {literal(stage.name)})")
        if isinstance(settings.how, Greedy):
            code.imports.add(f"{RERANKING}.epsilon_greedy", "epsilon_greedy")
            asked: tuple[Item, ...] = (Raw(held[0]), Raw(seeds), Raw(slots))
            drawn = Call("epsilon_greedy", (Raw("candidates"), *asked), (("epsilon", settings.how.epsilon),))
            return [*lines, *assigned("candidates", drawn, code.depth)]
        code.imports.add(f"{RERANKING}.thompson", "thompson")
        known, made = _posteriors(stage, settings.how, code)
        lines += made
        asked = (Raw(held[0]), Raw(known), Raw(seeds), Raw(slots))
        return [*lines, *assigned("candidates", Call("thompson", (Raw("candidates"), *asked)), code.depth)]


def _posteriors(stage: Stage, how: Thompson, code: RowCode) -> tuple[str, list[str]]:
    """Return the name of what is known of each candidate, and the lines that make it."""
    code.imports.add(f"{RERANKING}.posteriors", "posteriors_of")
    known = code.name(f"posteriors of {stage.name}", "posteriors")
    counts = (Raw(code.value(how.successes)), Raw(code.value(how.trials)))
    prior = given(prior=how.prior if how.prior != (1.0, 1.0) else None)
    return known, assigned(known, Call("posteriors_of", counts, prior), code.depth)


def _how(spec: Any, scope: StageScope) -> Greedy | Thompson | None:
    """Return how candidates are drawn; report a key of the other way, and counts that are missing."""
    other = next(key for key in _OF_EACH if key != spec.how)
    surplus = [key for key in _OF_EACH[other] if getattr(spec, key) is not None]
    if surplus:
        what = f"`explore` has `{surplus[0]}`, which means nothing for `how: {spec.how}`"
        scope.context.report(
            "E2063", what, (*scope.at, "explore", surplus[0]), help=f"leave it out, or say `how: {other}`"
        )
        return None
    if spec.how == "epsilon_greedy":
        return Greedy(0.1 if spec.epsilon is None else spec.epsilon)
    if spec.successes is None or spec.trials is None:
        what = "`explore` draws by `thompson` without `successes` and `trials`"
        expected = "two features of a candidate that count: `{successes: trend.clicks, trials: trend.views}`"
        scope.context.report("E2063", what, (*scope.at, "explore"), expected=expected)
        return None
    successes = number(spec.successes, "successes", "explore", scope)
    trials = number(spec.trials, "trials", "explore", scope)
    if successes is None or trials is None:
        return None
    first, second = spec.prior or (1.0, 1.0)
    return Thompson(successes, trials, (float(first), float(second)))
