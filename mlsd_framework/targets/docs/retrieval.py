"""The section on candidates: what finds them, the indexes that search them, and what comes of them."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import get_args

from mlsd_framework.codegen.files import markdown
from mlsd_framework.ir.retrieval import HoldOut, Index, Moments, Outcome, Retriever, Shown
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.retrieve.settings import RetrieveSettings, Source
from mlsd_framework.plugin.retrievers import RetrieverKind
from mlsd_framework.spec.base import SpecModel
from mlsd_framework.targets.docs.conditions import text
from mlsd_framework.targets.docs.learning import settings
from mlsd_framework.targets.docs.words import Table, code, codes, duration, percent


def retrieval_tables(system: System, kinds: Mapping[str, RetrieverKind]) -> tuple[Table, ...]:
    """Return what finds candidates, and the indexes; nothing for a system that retrieves none."""
    rows = tuple(_retriever(one, kinds[one.kind].spec) for one in system.retrievers)
    tables = (
        Table(("model", "kind", "learns from", "reads", "settings"), rows),
        Table(("index", "vectors of", "finds of the nearest", "is the fastest of"), tuple(map(_index, system.indexes))),
    )
    return tuple(one for one in tables if one.rows)


def retrieved(settings_: RetrieveSettings) -> str:
    """Return what a stage that retrieves asks for."""
    where = f" where {markdown(text(settings_.where.where))}" if settings_.where is not None else ""
    return f"at most {settings_.n} candidates{where}, of {'; '.join(_asked(one) for one in settings_.sources)}"


def outcome_facts(outcome: Outcome | None) -> tuple[str, ...]:
    """Return what is predicted of candidates, and of which requests the examples are."""
    return () if outcome is None else tuple(_facts(outcome))


def _retriever(one: Retriever, spec: type[SpecModel]) -> tuple[str, ...]:
    lengths = {name for name, field in spec.model_fields.items() if _is_length(field.annotation)}
    shown = [
        (name, timedelta(microseconds=value) if name in lengths and isinstance(value, int) else value)
        for name, value in one.settings
    ]
    reads = [ref.dotted for ref in (*one.user_features, *one.item_features)]
    log, read = code(one.interactions.source), codes([*reads, *one.item_text])
    return (code(one.name), code(one.kind), log, read, settings(shown))


def _is_length(annotation: object) -> bool:
    """Return whether a field of a spec is a length of time; its setting is in microseconds."""
    return annotation is timedelta or any(_is_length(one) for one in get_args(annotation))


def _index(one: Index) -> tuple[str, ...]:
    recall = f"{percent(one.recall)} of {one.k}"
    return (code(one.name), code(one.retriever.name), recall, codes(one.engines))


def _asked(source: Source) -> str:
    model = f" ({code(source.retriever.name)})" if source.retriever.name != source.name else ""
    new = " new to the user" if source.new else ""
    where = f" where {markdown(text(source.where.where))}" if source.where is not None else ""
    budget = f" within {duration(source.budget)}" if source.budget is not None else ""
    return f"{code(source.name)}{model} {source.n}{new}{where}{budget}"


def _facts(outcome: Outcome) -> Iterator[str]:
    log = outcome.interactions
    what = f"{code(outcome.name)} is whether the user of a request of {code(outcome.endpoint)} has an event of"
    match outcome.parts:
        case Moments(count=count, within=within, every=every):
            yield f"{what} {code(log.source)} with a candidate within {duration(within)} after it."
            yield f"Requests are made at {count} moments, {duration(every)} apart, by all who have such an event."
        case HoldOut(share=share, by=by, folds=folds, seed=seed):
            yield f"{what} {code(log.source)} with a candidate among those that are held out."
            held = f"{percent(share)} of the events of each {by} (seed {seed})"
            yield f"Held out are {held} for the test, and of the rest {folds} folds in turn."
    if outcome.shown is not None:
        yield _shown(outcome.shown)
    if outcome.negatives is not None:
        yield f"A request of training keeps {outcome.negatives} candidates without the outcome."
    if outcome.newcomers is not None:
        yield f"{percent(outcome.newcomers)} of the requests of training are asked again as if their users were new."


def _shown(shown: Shown) -> str:
    chosen = f"{code(shown.outcome)} says" if shown.outcome is not None else "an event says"
    until = f" within {duration(shown.within)}" if shown.within is not None else ""
    return f"Training and validation are of what {code(shown.source)} says was shown; {chosen} what was chosen{until}."
