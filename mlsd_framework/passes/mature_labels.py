"""Between the parts of the examples by time, the labels of the earlier part must have become known."""

from collections.abc import Iterator
from datetime import timedelta

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.models import TimeSplit
from mlsd_framework.ir.retrieval import HoldOut
from mlsd_framework.ir.system import System
from mlsd_framework.passes.lengths import write_length


def mature_labels(system: System) -> Iterator[Diagnostic]:
    """Find splits by time whose gap is shorter than the label's maturity, and moments too near to each other.

    `matures_after: 7d` with `gap: 1d` → E2104.
    """
    yield from _impressions(system)
    label = system.label
    if label is None:
        return
    matures = write_length(label.matures_after)
    for model in system.models:
        split = model.split
        if model.label is None or not isinstance(split, TimeSplit) or split.gap >= label.matures_after:
            continue
        gap = f"a gap of {write_length(split.gap)}" if split.gap else "no gap"
        yield Diagnostic(
            code="E2104",
            what=f"the label of `models.{model.name}` matures after {matures}, and its split leaves {gap}",
            span=split.span or model.span,
            expected=f"`gap: {matures}` or more in `split`",
            help="without it, the last training labels are not known yet when the next part begins",
        )


def _impressions(system: System) -> Iterator[Diagnostic]:
    """Find moments whose impressions have outcomes that are known after the next moment only."""
    outcome = system.outcome
    if outcome is None or outcome.shown is None or isinstance(outcome.parts, HoldOut):
        return
    shown, parts = outcome.shown, outcome.parts
    column = system.source(shown.source).column(shown.outcome) if shown.outcome is not None else None
    waits = shown.within or (column.known_after if column is not None else timedelta(0))
    needed = parts.within + waits
    if parts.every < needed:
        lengths = f"{write_length(parts.within)} of impressions and {write_length(waits)} for their outcome"
        yield Diagnostic(
            code="E2104",
            what=f"`label.every` is {write_length(parts.every)}, shorter than {lengths}",
            span=outcome.span,
            expected=f"`every: {write_length(needed)}` or more",
            help="without it, the last outcomes of a moment are not known yet when the next one begins",
        )
