"""`metrics`: what is measured; the kinds of metric add what is theirs."""

from typing import Literal

from pydantic import Field

from mlsd_framework.spec.base import Name, SpecModel


class MetricSpec(SpecModel):
    """What every kind of metric has."""

    metric: str
    name: Name | None = Field(
        None, alias="as", description="What gates and reports call it, where the kind's own name will not do."
    )


class MetricsBase(SpecModel):
    """All but the metrics themselves, whose items depend on the kinds at hand."""

    slices: dict[Name, list[float] | Literal["by value"]] = Field(
        default_factory=dict,
        description="Columns by whose values, or bins between the numbers given, every metric is shown.",
    )
    bootstrap: int = Field(200, ge=0, le=10_000, description="Resamples for the intervals; 0 for none.")
    confidence: float = Field(0.95, gt=0, lt=1, description="The intervals' confidence.")
