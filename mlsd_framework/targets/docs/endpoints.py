"""The sections on serving: each endpoint's pipeline, budgets, decision, rules and fallback."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from mlsd_framework.codegen.files import markdown
from mlsd_framework.ir.serving import Endpoint, Stage
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.decide.kind import DecideSettings
from mlsd_framework.kinds.stages.fallback.kind import FallbackSettings
from mlsd_framework.kinds.stages.rules.kind import RulesSettings
from mlsd_framework.targets.docs.arranging import arranging
from mlsd_framework.targets.docs.conditions import text
from mlsd_framework.targets.docs.words import NONE, Table, code, codes, duration, number, size

_ON_ERROR = {
    "fail": "the request fails",
    "default": "its defaults are used, the answer is marked degraded",
    "skip": "it is left out, the answer is marked degraded",
    "fallback": "the fallback answers",
}


@dataclass(frozen=True, slots=True)
class EndpointSection:
    """One endpoint: its path, what is said of it, its pipeline, the sum of budgets, candidates, decisions."""

    path: str
    facts: tuple[str, ...]
    pipeline: Table
    budgets: str
    arranging: tuple[Table, ...]
    decisions: tuple[Table, ...]
    rules: tuple[Table, ...]
    fallback: tuple[Table, ...]


def endpoint_sections(system: System) -> tuple[EndpointSection, ...]:
    """Return one section an endpoint."""
    return tuple(_endpoint(endpoint, system) for endpoint in system.serving)


def _endpoint(endpoint: Endpoint, system: System) -> EndpointSection:
    limits = endpoint.limits
    facts = [markdown(endpoint.describe)] if endpoint.describe else []
    row = f"is a row of {code(endpoint.source)}" if endpoint.source is not None else "holds"
    facts.append(f"A request {row}: {codes([value.name for value in endpoint.request])}.")
    rate = f", {number(limits.rate)} requests a second in one worker" if limits.rate is not None else ""
    held = f"{size(limits.body)} a body, {duration(limits.timeout)} a request, {limits.concurrency} at once a worker"
    facts.append(f"Limits: {held}{rate}.")
    settings = [stage.settings for stage in endpoint.pipeline]
    return EndpointSection(
        code(endpoint.path),
        tuple(facts),
        Table(
            ("stage", "kind", "budget", "reads", "writes", "when it fails"),
            tuple(_stage(stage) for stage in endpoint.pipeline),
        ),
        _budgets(endpoint, system.requirements.p99),
        tuple(_arranging(endpoint)),
        tuple(Table(("decision", ""), tuple(_decision(one))) for one in settings if isinstance(one, DecideSettings)),
        tuple(_rules(one) for one in settings if isinstance(one, RulesSettings)),
        tuple(_fallback(one) for one in settings if isinstance(one, FallbackSettings)),
    )


def _arranging(endpoint: Endpoint) -> Iterator[Table]:
    rows = tuple((code(stage.name), said) for stage in endpoint.pipeline if (said := arranging(stage)) is not None)
    if rows:
        yield Table(("candidates, by", "what it does"), rows)


def _stage(stage: Stage) -> tuple[str, ...]:
    reads = dict.fromkeys(value.group or value.name for value in stage.reads)
    writes = dict.fromkeys(value.group or value.name for value in stage.writes)
    return (
        code(stage.name),
        code(stage.kind),
        duration(stage.budget),
        codes(tuple(reads)),
        codes(tuple(writes)),
        _failing(stage),
    )


def _failing(stage: Stage) -> str:
    return NONE if isinstance(stage.settings, FallbackSettings) else _ON_ERROR[stage.on_error]


def _budgets(endpoint: Endpoint, owed: timedelta | None) -> str:
    given = [stage.budget for stage in endpoint.pipeline if stage.budget is not None]
    total = sum(given, timedelta(0))
    stated = f"{len(given)} of {len(endpoint.pipeline)} stages state a budget"
    if not given:
        return f"No stage states a budget; p99 owed is {duration(owed)}." if owed else "No stage states a budget."
    if owed is None:
        return f"{stated}, {duration(total)} in all."
    left = f"which leaves {duration(owed - total)} for the rest"
    return f"{stated}, {duration(total)} in all; p99 owed is {duration(owed)}, {left}."


def _decision(settings: DecideSettings) -> Iterator[tuple[str, str]]:
    yield "score", code(settings.model.name)
    yield "actions, mildest first", codes(settings.actions)
    if settings.cost is not None:
        unit = f" {markdown(settings.cost.unit)}" if settings.cost.unit else ""
        yield "cost of a false negative", markdown(text(settings.cost.false_negative)) + unit
        yield "cost of a false positive", markdown(text(settings.cost.false_positive)) + unit
        yield "cost of a review", NONE if settings.cost.review is None else number(settings.cost.review) + unit
        yield "thresholds", "those of least cost on the validation part, held against the expected cost ratio"
    for action, threshold in zip(settings.actions[1:], settings.thresholds or (), strict=False):
        yield f"least probability of {code(action)}", f"{threshold:g}"
    yield (
        "rules",
        "the score speaks at priority 0; a higher priority decides, the same one can only make the action harder"
        if settings.rules
        else "none",
    )


def _rules(settings: RulesSettings) -> Table:
    rows = tuple(
        (str(one.priority), code(one.name), markdown(text(one.when)), code(one.action), markdown(one.reason))
        for one in settings.rules
    )
    return Table(("priority", "rule", "when", "action", "reason given"), rows)


def _fallback(settings: FallbackSettings) -> Table:
    cases = tuple((markdown(text(case.when)), code(case.action)) for case in settings.cases)
    return Table(("fallback, when", "action"), (*cases, ("otherwise", code(settings.action))))
