"""`requirements`: what the system owes its users."""

from pydantic import Field

from mlsd_framework.spec.base import SpecModel
from mlsd_framework.spec.quantities import Count, Duration, Fraction, Rate, Size


class LatencySpec(SpecModel):
    """How long an answer may take, as quantiles over requests."""

    p50: Duration | None = Field(None, description="Half of the answers come within this time.")
    p95: Duration | None = Field(None, description="95 of 100 answers come within this time.")
    p99: Duration | None = Field(
        None, description="99 of 100 answers come within this time; stage budgets must fit into it."
    )


class ThroughputSpec(SpecModel):
    """How many requests come."""

    peak: Rate = Field(description="Requests a second at the busiest time.")
    mean: Rate | None = Field(None, description="Requests a second over a day.")


class FreshnessSpec(SpecModel):
    """How old what the system knows may be."""

    features: Duration | None = Field(None, description="From an event to a readable feature value.")
    indexes: Duration | None = Field(None, description="From a change of the items' table to what indexes find.")


class ScaleSpec(SpecModel):
    """How much there is; capacity figures are computed from it."""

    users: Count | None = Field(None, description="Users, cards or vehicles.")
    items: Count | None = Field(None, description="Items that can be found or ranked.")
    events_per_day: Count | None = Field(None, description="Events a day over all sources.")


class RequirementsSpec(SpecModel):
    """What the system owes its users; the compiler holds budgets and capacity against it."""

    latency: LatencySpec = Field(default_factory=LatencySpec, description="Quantiles of the time an answer takes.")
    throughput: ThroughputSpec | None = Field(None, description="Requests a second.")
    freshness: FreshnessSpec = Field(default_factory=FreshnessSpec, description="How old features and indexes may be.")
    scale: ScaleSpec = Field(default_factory=ScaleSpec, description="Users, items and events.")
    memory: Size | None = Field(None, description="Memory that the service may take.")
    availability: Fraction | None = Field(None, description="Share of requests that get an answer.")
