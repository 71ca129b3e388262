"""What each part of a spec means to the stages: the place in the spec, and its value or a fingerprint of it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace

from mlsd_framework.codegen.item_conditions import condition_columns
from mlsd_framework.ir.entities import Entity
from mlsd_framework.ir.expressions import Expression, Literal, Node, columns
from mlsd_framework.ir.features import (
    DerivedGroup,
    FeatureRef,
    RequestGroup,
    StoredGroup,
    TableGroup,
    WindowGroup,
    window_label,
)
from mlsd_framework.ir.fingerprint import fingerprint, is_unsaid
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.retrieval import Interactions, Retriever
from mlsd_framework.ir.sources import Files, Source
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.retrieve.settings import RetrieveSettings
from mlsd_framework.plan.stages import Parts

_SHORT = 40
Entry = tuple[str, str]


def value(thing: object) -> str:
    """Return a short value as it stands, anything longer by its fingerprint."""
    if thing is None or isinstance(thing, str | int | float | bool):
        text = json.dumps(thing)
        if len(text) <= _SHORT:
            return text
    return fingerprint(thing)


def collected(entries: Iterable[Entry]) -> Parts:
    """Return the entries in order of their names, each once."""
    return tuple(sorted(dict(entries).items()))


def source_parts(source: Source, used: Iterable[str]) -> Iterator[Entry]:
    """Yield what the rows of a source and its `used` columns mean.

    Where a check drops rows, every column counts: each may decide which rows there are.
    """
    at = f"sources.{source.name}"
    origin = source.origin
    if isinstance(origin, Files):
        yield f"{at}.path", value(origin.uri)
        yield f"{at}.sha256", value(origin.sha256)
        yield f"{at}.format", value((origin.format, origin.row_number))
    else:
        yield f"{at}.with", value((origin.function, origin.table, origin.settings))
    yield f"{at}.key", value(source.key)
    yield f"{at}.event_time", value((source.event_time, source.ingest_time))
    yield f"{at}.checks", value(source.checks)
    drops = "drop" in {getattr(source.checks, name) for name in source.checks.__slots__}
    names = {*used, *source.key, source.event_time, source.ingest_time}
    for column in source.columns:
        if drops or column.name in names:
            yield f"{at}.schema.{column.name}", value(replace(column, describe=None))


class Definitions:
    """What features mean, column by column: a model is retrained when a feature that it uses changes, and only then."""

    def __init__(self, system: System) -> None:
        """Take the system whose features are asked for."""
        self._system = system
        self._examples = system.examples

    def of(self, refs: Iterable[FeatureRef]) -> Parts:
        """Return the parts behind features and request columns, with the sources that they are computed from."""
        return collected(entry for ref in refs for entry in self._of(ref.group, ref.name))

    def of_names(self, names: Iterable[tuple[str | None, str]]) -> Parts:
        """Return the parts behind `(group, name)` pairs; a group of none is the examples' source."""
        return collected(entry for group, name in names for entry in self._of(group, name))

    def sources(self, refs: Iterable[FeatureRef]) -> frozenset[str]:
        """Return the names of the sources behind features."""
        return frozenset(name.split(".")[1] for name, _ in self.of(refs) if name.startswith("sources."))

    def _of(self, group: str | None, name: str) -> Iterator[Entry]:
        if group is None:
            if self._examples is not None and self._examples.column(name):
                yield from source_parts(self._examples, [name])
            return
        found = next((one for one in self._system.features if one.name == group), None)
        match found:
            case WindowGroup():
                yield from self._window(found, name)
            case TableGroup():
                yield f"features.{group}", value((found.entity, found.key, found.source))
                yield f"features.{group}.{name}", value(name)
                yield from source_parts(self._system.source(found.source), [name, *found.key])
            case DerivedGroup():
                yield from self._derived(found, name)
            case RequestGroup():
                yield from self._request(found, name)
            case None:  # a source's column under its source's name
                source = next((one for one in self._system.sources if one.name == group), None)
                if source is not None:
                    yield from source_parts(source, [name])

    def _window(self, group: WindowGroup, name: str) -> Iterator[Entry]:
        at = f"features.{group.name}"
        yield at, value((group.entity, group.key, group.source))
        yield f"{at}.refresh", value(group.refresh)
        yield f"{at}.delay", value(group.delay)
        used = list(group.key)
        for aggregate in group.aggregates:
            for window in group.windows:
                if name == f"{aggregate.name}_{window_label(window)}":
                    yield f"{at}.{name}", value((aggregate, window))
                    for expression in (aggregate.value, aggregate.where):
                        used += self._columns(expression)
        yield from source_parts(self._system.source(group.source), used)
        label = self._system.label
        if label is not None and label.column in used and label.source != group.source:
            yield from label_parts(self._system)

    def _derived(self, group: DerivedGroup, name: str) -> Iterator[Entry]:
        at = f"features.{group.name}"
        yield at, value((group.kind, group.entity, group.key, group.function))
        yield f"{at}.window", value(group.window)
        yield f"{at}.refresh", value(group.refresh)
        yield f"{at}.delay", value(group.delay)
        for setting, given in group.settings:
            yield f"{at}.{setting}", value(given)
        yield f"{at}.{name}", value(next((one.type for one in group.features if one.name == name), None))
        for reading in group.readings:
            yield from source_parts(self._system.source(reading.source), reading.columns)

    def _request(self, group: RequestGroup, name: str) -> Iterator[Entry]:
        at = f"features.{group.name}.{name}"
        computed = next((one for one in group.computed if one.name == name), None)
        if computed is None:
            yield at, value(name)
            yield from source_parts(self._system.source(group.source), [name])
            return
        yield at, value(computed.expression)
        for column in columns(computed.expression):
            if column.qualifier is not None:
                yield from self._of(column.qualifier, column.name)
            elif column.name in {one.name for one in group.computed}:
                yield from self._of(group.name, column.name)
            else:
                yield from source_parts(self._system.source(group.source), [column.name])

    @staticmethod
    def _columns(expression: Expression | None) -> list[str]:
        return [column.name for column in columns(expression)] if expression is not None else []


def label_parts(system: System) -> Iterator[Entry]:
    """Yield what the label means, with its sources."""
    label = system.label
    if label is None:
        return
    yield "label", value((label.name, label.source, label.column, label.of, label.join))
    yield "label.matures_after", value(label.matures_after)
    yield from source_parts(system.source(label.source), [label.column, *([label.join] if label.join else [])])
    yield from source_parts(system.source(label.of), [label.join] if label.join else [])


def catalogue_parts(entity: Entity, system: System) -> Iterator[Entry]:
    """Yield what the items of an entity and their order mean."""
    yield f"entities.{entity.name}", value((entity.key, entity.source, entity.title))
    yield from source_parts(system.source(str(entity.source)), [*entity.key, *entity.title])


def condition_parts(entity: Entity, system: System) -> Iterator[Entry]:
    """Yield what is kept of an entity's items for conditions of retrievals."""
    refs = condition_columns(system, entity.name)
    if refs:
        yield f"entities.{entity.name}.where", value(tuple((ref.dotted, ref.type) for ref in refs))
        yield from Definitions(system).of(refs)


def interaction_parts(log: Interactions, system: System) -> Iterator[Entry]:
    """Yield what a log of who met which item means, with the items that it knows."""
    yield from catalogue_parts(system.entity(log.entity), system)
    yield from source_parts(system.source(log.source), [log.user, log.item])


def retriever_parts(one: Retriever, system: System) -> Iterator[Entry]:
    """Yield what a retriever is fitted with."""
    at = f"models.{one.name}"
    yield f"{at}.kind", value(one.kind)
    yield f"{at}.from", value(one.interactions)
    for name, setting in one.settings:
        yield f"{at}.{name}", value(setting)
    refs = (*one.user_features, *one.item_features)
    yield f"{at}.features", value(tuple((ref.dotted, ref.type) for ref in refs))
    yield from Definitions(system).of(refs)
    if one.item_text:
        yield f"{at}.text", value(one.item_text)
        entity = system.entity(one.interactions.entity)
        yield from source_parts(system.source(str(entity.source)), one.item_text)
    yield from interaction_parts(one.interactions, system)


def outcome_parts(system: System) -> Iterator[Entry]:
    """Yield what the outcome of candidates means: what is retrieved by what, in which parts, and what comes of it."""
    outcome = system.outcome
    if outcome is None:
        return
    yield "label", value((outcome.name, outcome.interactions, outcome.parts))
    yield "label.negatives", value((outcome.negatives, outcome.seed))
    if outcome.newcomers is not None:
        yield "label.newcomers", value(outcome.newcomers)
    if outcome.shown is not None:
        shown = outcome.shown
        yield "label.shown", value(shown)
        columns = (shown.user, shown.item, shown.request, shown.outcome)
        yield from source_parts(system.source(shown.source), [name for name in columns if name is not None])
    yield from interaction_parts(outcome.interactions, system)
    if system.metrics.onboarding is not None:
        yield "metrics.onboarding", value(system.metrics.onboarding)
        yield from Definitions(system).of((system.metrics.onboarding.column,))
    for endpoint in system.serving:
        if endpoint.path == outcome.endpoint:
            for stage in endpoint.pipeline:
                if isinstance(stage.settings, RetrieveSettings):
                    yield from _settings(f"serving.{endpoint.path}.pipeline.{stage.name}", stage.settings)
                    for source in stage.settings.sources:
                        yield from retriever_parts(source.retriever, system)
                    read = ((value.group, value.name) for value in stage.reads if value.group is not None)
                    yield from Definitions(system).of_names(read)
                    yield from Definitions(system).of(
                        ref for condition in stage.settings.conditions for ref in condition.columns
                    )


def off_policy_parts(system: System) -> Iterator[Entry]:
    """Yield what the log with propensities means, whose requests are retrieved for too."""
    policy = system.metrics.off_policy
    if policy is None:
        return
    yield "metrics.off_policy", value(replace(policy, clip=None))
    columns = (policy.user, policy.item, policy.request, policy.propensity, policy.reward, policy.position)
    yield from source_parts(system.source(policy.source), [name for name in columns if name is not None])


def model_parts(model: Model) -> Iterator[Entry]:
    """Yield what a model is fitted with; gates and descriptions are none of it."""
    at = f"models.{model.name}"
    yield f"{at}.kind", value(model.kind)
    yield f"{at}.features", value(tuple((ref.dotted, ref.type) for ref in model.features))
    yield f"{at}.label", value(model.label)
    yield f"{at}.split", value(model.split)
    yield f"{at}.seed", value(model.seed)
    yield f"{at}.calibration", value(model.calibration)
    yield f"{at}.imbalance", value(model.imbalance)
    yield f"{at}.tune", value(model.tuning)
    for name, setting in model.settings:
        yield f"{at}.{name}", value(setting)


def evaluation_parts(system: System) -> Iterator[Entry]:
    """Yield all that a version is made from beside the models: serving, metrics, gates."""
    for model in system.models:
        yield f"models.{model.name}.gates", value(tuple((one.metric, one.op, one.value) for one in model.gates))
    for endpoint in system.serving:
        at = f"serving.{endpoint.path}"
        yield f"{at}.request", value((endpoint.source, endpoint.columns, endpoint.defaults))
        yield f"{at}.limits", value(endpoint.limits)
        for stage in endpoint.pipeline:
            name = stage.name if stage.name == stage.kind else f"{stage.kind} {stage.name}"
            yield f"{at}.pipeline.{name}", value((stage.kind, stage.budget, stage.on_error))
            yield from _settings(f"{at}.pipeline.{name}", stage.settings)
        yield f"{at}.pipeline", value(tuple(stage.name for stage in endpoint.pipeline))
    for metric in system.metrics.offline:
        yield f"metrics.offline.{metric.name}", value(metric)
    for one in system.metrics.slices:
        yield f"metrics.slices.{one.column}", value(one.bins)
    if system.metrics.off_policy is not None:
        yield "metrics.off_policy", value(system.metrics.off_policy)
    yield "metrics.bootstrap", value(system.metrics.bootstrap)
    yield "metrics.confidence", value(system.metrics.confidence)
    for source in system.sources:
        yield from source_parts(source, [column.name for column in source.columns])
    yield "entities", value(system.entities)
    yield from Definitions(system).of_names(
        (group.name, feature.name) for group in system.features for feature in group.features
    )


def _settings(at: str, found: object) -> Iterator[Entry]:
    """Yield a stage's settings, down to what the spec writes as one value; models and groups count by their names."""
    if isinstance(found, Model | Retriever | StoredGroup | RequestGroup):
        yield at, value(found.name)
    elif isinstance(found, FeatureRef):
        yield at, value(found.dotted)
    elif isinstance(found, Literal):
        yield at, value(found.value)
    elif is_dataclass(found) and not isinstance(found, type | Node):
        for one in fields(found):
            if one.name not in ("span", "describe") and not is_unsaid(one, found):
                yield from _settings(f"{at}.{one.name}", getattr(found, one.name))
    elif isinstance(found, tuple) and found and all(hasattr(one, "name") and is_dataclass(one) for one in found):
        yield at, value(tuple(one.name for one in found))
        for one in found:
            if not isinstance(one, Model | FeatureRef | StoredGroup | RequestGroup):
                yield from _settings(f"{at}.{one.name}", one)
    else:
        yield at, value(found)


def environment_parts(system: System) -> Iterator[Entry]:
    """Yield where the service runs; secrets by reference."""
    place = system.environment
    at = f"environments.{place.name}"
    for name in (
        "host", "port", "workers", "online_store", "store_memory", "store_evict", "stream", "updaters", "token",
        "target", "drain",
    ):  # fmt: skip
        yield f"{at}.{name}", value(getattr(place, name))
