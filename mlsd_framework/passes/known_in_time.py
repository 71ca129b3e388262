"""A feature may use only what is known when it is computed: labels and late columns need a delay."""

from collections.abc import Iterator
from datetime import timedelta

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.expressions import columns
from mlsd_framework.ir.features import Aggregate, DerivedGroup, TableGroup, WindowGroup
from mlsd_framework.ir.system import System
from mlsd_framework.passes.lengths import write_length


def known_in_time(system: System) -> Iterator[Diagnostic]:
    """Find windows over the label, or over a column known only later, whose `delay` is too short.

    So is a table of the impressions that are the examples, whose columns would be those of the example itself.

    `fraud_rate: mean(is_fraud)` with a label that matures after 7 days and no `delay` → E2101.
    """
    for group in system.features:
        if isinstance(group, WindowGroup):
            for aggregate in group.aggregates:
                yield from _aggregate(group, aggregate, system)
        elif isinstance(group, TableGroup):
            yield from _table(group, system)
        elif isinstance(group, DerivedGroup):
            yield from _derived(group, system)


def _aggregate(group: WindowGroup, aggregate: Aggregate, system: System) -> Iterator[Diagnostic]:
    source, label = system.source(group.source), system.label
    for expression in (aggregate.value, aggregate.where):
        for used in columns(expression) if expression is not None else ():
            if used.qualifier is not None:
                continue  # another group's feature, which is as of the event
            column = source.column(used.name)
            waits = column.known_after if column is not None else timedelta(0)
            if (
                label is not None
                and label.of == group.source
                and used.name in (label.name, label.column if label.source == group.source else label.name)
            ):
                waits = max(waits, label.matures_after)
            if group.delay < waits:
                late = f"known only {write_length(waits)} later"
                yield Diagnostic(
                    code="E2101",
                    what=f"`features.{group.name}.{aggregate.name}` uses `{used.name}`, which is {late}",
                    span=used.span or aggregate.span,
                    expected=f"`delay: {write_length(waits)}` or more on the group",
                    help="without it, training sees values that the service cannot have",
                )


def _table(group: TableGroup, system: System) -> Iterator[Diagnostic]:
    source, label = system.source(group.source), system.label
    if system.outcome is not None and system.outcome.shown is not None and system.outcome.shown.source == group.source:
        what = f"`features.{group.name}` takes columns of the impressions `{group.source}` as they are"
        yield Diagnostic(
            code="E2101",
            what=f"{what}, which are of the example itself",
            span=group.span,
            expected="windows over them, which end before it",
        )
        return
    for name in group.columns:
        column = source.column(name)
        late = column is not None and column.known_after > timedelta(0)
        is_label = label is not None and label.source == group.source and label.column == name
        if late or is_label:
            why = "the label" if is_label else "known only later"
            what = f"`features.{group.name}` takes the column `{name}`, which is {why}"
            feature = next((one for one in group.features if one.name == name), None)
            place = feature.span if feature is not None else group.span
            yield Diagnostic(code="E2101", what=what, span=place, help="leave it out of `columns`")


def _derived(group: DerivedGroup, system: System) -> Iterator[Diagnostic]:
    """Hold the columns that a function reads against the group's `delay`; a log of labels has the time of its own."""
    label = system.label
    for reading in group.readings:
        source = system.source(reading.source)
        for name in reading.columns:
            column = source.column(name)
            waits = column.known_after if column is not None else timedelta(0)
            if label is not None and label.column == name and label.source == label.of == source.name:
                waits = max(waits, label.matures_after)
            if group.delay < waits:
                late = f"known only {write_length(waits)} later"
                yield Diagnostic(
                    code="E2101",
                    what=f"`features.{group.name}` reads `{name}` of `{source.name}`, which is {late}",
                    span=group.span,
                    expected=f"`delay: {write_length(waits)}` or more on the group",
                    help="without it, training sees values that the service cannot have",
                )
