"""Lower `metrics`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsd_framework.ir.metrics import Metric, Metrics, Slice
from mlsd_framework.lower.context import Context
from mlsd_framework.lower.kinds import MetricLowering

if TYPE_CHECKING:
    from mlsd_framework.spec.loading import Loc


def lower_metrics(spec: Any, kinds: Mapping[str, MetricLowering], context: Context) -> Metrics:
    """Return the metrics in the order of the file; a name that comes twice is reported."""
    found: dict[str, Metric] = {}
    for index, item in enumerate(spec.offline):
        at: Loc = ("metrics", "offline", index)
        kind = kinds[item.metric]
        name = item.name or item.metric
        if name in found:
            context.report(
                "E2010", f"two metrics are called `{name}`", at, help="give one of them another name with `as:`"
            )
            continue
        found[name] = Metric(
            name, item.metric, kind.parameters(item), kind.needs, kind.higher_is_better, context.span(at)
        )
    slices = tuple(
        Slice(
            column,
            None if isinstance(bins, str) else tuple(bins),
            context.span(("metrics", "slices", column), key=True),
        )
        for column, bins in spec.slices.items()
    )
    return Metrics(tuple(found.values()), slices, spec.bootstrap, spec.confidence)
