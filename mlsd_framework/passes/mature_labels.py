"""Between the parts of a split by time, the labels of the earlier part must have become known."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.models import TimeSplit
from mlsd_framework.ir.system import System
from mlsd_framework.passes.lengths import write_length


def mature_labels(system: System) -> Iterator[Diagnostic]:
    """Find splits by time whose gap is shorter than the label's maturity.

    `matures_after: 7d` with `gap: 1d` → E2104.
    """
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
