"""Lower `requirements`."""

from mlsd_framework.ir.requirements import Requirements
from mlsd_framework.lower.context import Context
from mlsd_framework.spec.requirements import RequirementsSpec


def lower_requirements(spec: RequirementsSpec, context: Context) -> Requirements:
    """Flatten the section."""
    throughput = spec.throughput
    return Requirements(
        p50=spec.latency.p50,
        p95=spec.latency.p95,
        p99=spec.latency.p99,
        peak=throughput.peak if throughput else None,
        mean=throughput.mean if throughput else None,
        feature_freshness=spec.freshness.features,
        index_freshness=spec.freshness.indexes,
        users=spec.scale.users,
        items=spec.scale.items,
        events_per_day=spec.scale.events_per_day,
        memory=spec.memory,
        availability=spec.availability,
        span=context.span(("requirements",), key=True),
    )
