"""Between the parts of a split by time, the labels of the earlier part must have become known."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.models import TimeSplit
from mlsd_framework.ir.system import System


def mature_labels(system: System) -> Iterator[Diagnostic]:
    """Find splits by time whose gap is shorter than the label's maturity.

    `matures_after: 7d` with `gap: 1d` → E2104.
    """
    label = system.label
    if label is None:
        return
    days = f"{label.matures_after.total_seconds() / 86400:g}d"
    for model in system.models:
        if model.label is not None and isinstance(model.split, TimeSplit) and model.split.gap < label.matures_after:
            yield Diagnostic(
                code="E2104",
                what=f"the label of `models.{model.name}` matures after {days}, and its split leaves a gap of {model.split.gap.total_seconds() / 86400:g}d",
                span=model.span,
                expected=f"`gap: {days}` or more in `split`",
                help="without it, the last training labels are not known yet when the next part begins",
            )
