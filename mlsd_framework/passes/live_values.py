"""A live group reads only what an event says when it comes on the stream."""

from collections.abc import Iterator
from datetime import timedelta

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.expressions import columns
from mlsd_framework.ir.features import Aggregate, WindowGroup
from mlsd_framework.ir.system import System


def live_values(system: System) -> Iterator[Diagnostic]:
    """Find aggregates of live groups over the label, or over a column that is known only after the event.

    `frauds: count() where is_fraud` over a source with a `stream`, without `refresh` → E3006.
    """
    for group in system.live:
        for aggregate in group.aggregates:
            yield from _aggregate(group, aggregate, system)


def _aggregate(group: WindowGroup, aggregate: Aggregate, system: System) -> Iterator[Diagnostic]:
    source, label = system.source(group.source), system.label
    labels = {label.name, label.column} if label is not None and label.of == label.source == group.source else set()
    labels |= {label.name} if label is not None and label.of == group.source else set()
    for expression in (aggregate.value, aggregate.where):
        for used in columns(expression) if expression is not None else ():
            column = source.column(used.name) if used.qualifier is None else None
            why = None
            if used.qualifier is not None:
                why = f"a feature of `{used.qualifier}`"
            elif used.name in labels:
                why = "the label"
            elif column is not None and column.known_after > timedelta(0):
                why = "known only after the event"
            if why is not None:
                yield Diagnostic(
                    code="E3006",
                    what=f"`features.{group.name}.{aggregate.name}` is live and reads `{used.name}`, which is {why}",
                    span=used.span or aggregate.span,
                    expected="`refresh:` on the group, with a `delay:` until the value is known",
                )
