"""The sections on data: sources, features and the label."""

from collections.abc import Iterator
from dataclasses import dataclass

from mlsd_framework.codegen.files import markdown
from mlsd_framework.ir.features import (
    DerivedGroup,
    Feature,
    FeatureGroup,
    RequestGroup,
    TableGroup,
    WindowGroup,
    window_label,
)
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.ir.sources import Column, Files, Process, Source
from mlsd_framework.ir.system import System
from mlsd_framework.spec.quantities import write_duration
from mlsd_framework.targets.docs.conditions import text
from mlsd_framework.targets.docs.words import NONE, Table, code, codes, duration, number


@dataclass(frozen=True, slots=True)
class SourceSection:
    """One source: its name, what is said of it in lines, its columns."""

    name: str
    simulated: bool
    facts: tuple[str, ...]
    columns: Table


@dataclass(frozen=True, slots=True)
class GroupSection:
    """One feature group: its name, what is said of it, its features."""

    name: str
    facts: tuple[str, ...]
    features: Table


def source_sections(system: System) -> tuple[SourceSection, ...]:
    """Return one section a source."""
    return tuple(_source(source) for source in system.sources)


def group_sections(system: System) -> tuple[GroupSection, ...]:
    """Return one section a feature group."""
    return tuple(_group(group) for group in system.features)


def label_facts(label: Label | None) -> tuple[str, ...]:
    """Return what is predicted and when it is known; nothing for a system without a label."""
    if label is None:
        return ()
    joined = f", joined to {code(label.of)} by {code(label.join)}" if label.join else ""
    known = f"{duration(label.matures_after)} after the example" if label.matures_after else "with the example"
    return (
        f"{code(label.name)} is the column {code(label.column)} of {code(label.source)}{joined}.",
        f"It is known {known}.",
    )


def _source(source: Source) -> SourceSection:
    rows = tuple(_column(column, source) for column in source.columns)
    columns = Table(("column", "type", "unit", "holds"), rows)
    return SourceSection(code(source.name), isinstance(source.origin, Process), tuple(_facts(source)), columns)


def _facts(source: Source) -> Iterator[str]:
    if source.describe:
        yield f"One row: {markdown(source.describe)}."
    match source.origin:
        case Process() as process:
            made = f"The process {code(process.name)} makes the table {code(process.table)}"
            yield f"**Simulated data.** {made}; no row is real."
            settings = ", ".join(f"{code(name)} {markdown(str(value))}" for name, value in process.settings)
            yield f"Settings: {settings or 'none'}."
        case Files() as files:
            yield f"Kind {code(source.kind)}, read from {markdown(files.uri)}."
            yield f"Licence: {markdown(files.licence) if files.licence else 'not stated'}."
            yield f"SHA-256: {code(files.sha256) if files.sha256 else 'not stated'}."
    if source.stream is not None:
        posted = code(f"POST /events/{source.name}")
        yield f"New events come on the stream {code(source.stream.name)}; {posted} adds some."
    yield f"Key {codes(source.key)}; event time {code(source.event_time) if source.event_time else NONE}."


def _column(column: Column, source: Source) -> tuple[str, ...]:
    marks = [
        word for word, names in (("key", source.key), ("event time", (source.event_time,))) if column.name in names
    ]
    if column.minimum is not None or column.maximum is not None:
        low = NONE if column.minimum is None else number(column.minimum)
        high = NONE if column.maximum is None else number(column.maximum)
        marks.append(f"from {low} to {high}")
    if column.values is not None:
        marks.append("one of: " + ", ".join(markdown(value) for value in column.values))
    if column.known_after:
        marks.append(f"known {duration(column.known_after)} after the event")
    if column.describe:
        marks.append(markdown(column.describe))
    return (code(column.name), _type(column), markdown(column.type.unit or "") or NONE, "; ".join(marks) or NONE)


def _type(entry: Column | Feature) -> str:
    return code(str(entry.type).replace(f" {entry.type.unit}", "") if entry.type.unit else str(entry.type))


def _group(group: FeatureGroup) -> GroupSection:
    facts = [f"From {codes(group.sources)}."]
    match group:
        case WindowGroup():
            over = f"over events of {code(group.source)} before the moment that asks"
            facts = [f"Of {code(group.entity)}, {over}. {_moment(group)}"]
            rows = tuple(_windowed(group))
            return GroupSection(
                code(group.name),
                tuple(facts),
                Table(("feature", "type", "unit", "meaning", "window", "aggregate"), rows),
            )
        case TableGroup():
            facts = [f"Of {code(group.entity)}: columns of {code(group.source)}, as of the moment that asks."]
        case DerivedGroup():
            facts = [f"Of {code(group.entity)}: {_snapshots(group)}"]
            if group.settings:
                facts.append(f"Settings: {', '.join(_setting(name, value) for name, value in group.settings)}.")
        case RequestGroup():
            facts = [f"Computed when the request comes, from its columns ({code(group.source)}) and fetched features."]
            given = {one.name: markdown(text(one.expression)) for one in group.computed}
            rows = tuple((*_feature(one), given.get(one.name, "the column as it comes")) for one in group.features)
            return GroupSection(
                code(group.name), tuple(facts), Table(("feature", "type", "unit", "meaning", "expression"), rows)
            )
    return GroupSection(
        code(group.name),
        tuple(facts),
        Table(("feature", "type", "unit", "meaning"), tuple(_feature(one) for one in group.features)),
    )


def _snapshots(group: DerivedGroup) -> str:
    """Say which events a snapshot is made of, and when."""
    past = "all events" if group.window is None else f"the last {write_duration(group.window)} of events"
    delay = f", each {write_duration(group.delay)} after it happened (delay)" if group.delay else ""
    when = f"at each multiple of {write_duration(group.refresh)} (refresh)"
    return f"what the kind {code(group.kind)} makes of {past} of {codes(group.sources)} {when}{delay}."


def _setting(name: str, value: SettingValue) -> str:
    items = value if isinstance(value, tuple) else (value,)
    return f"{code(name)} {', '.join(markdown(str(item)) for item in items)}"


def _moment(group: WindowGroup) -> str:
    refresh = (
        f"A value is the one at the last multiple of {write_duration(group.refresh)} (refresh)"
        if group.refresh
        else "It is kept up to date from the stream, event by event"
        if group.live
        else "A value is exact to the event"
    )
    delay = f"; an event counts {write_duration(group.delay)} after it happened (delay)" if group.delay else ""
    return f"{refresh}{delay}."


def _windowed(group: WindowGroup) -> Iterator[tuple[str, ...]]:
    pairs = [(aggregate, window) for aggregate in group.aggregates for window in group.windows]
    for feature, (aggregate, window) in zip(group.features, pairs, strict=True):
        value = text(aggregate.value) if aggregate.value is not None else ""
        where = f" where {text(aggregate.where)}" if aggregate.where is not None else ""
        yield (*_feature(feature), window_label(window), markdown(f"{aggregate.function}({value}){where}"))


def _feature(feature: Feature) -> tuple[str, ...]:
    return (code(feature.name), _type(feature), markdown(feature.type.unit or "") or NONE, markdown(feature.describe))
