"""`metrics`: what is measured; the kinds of metric add what is theirs."""

from typing import Literal

from pydantic import Field

from mlsd_framework.spec.base import Name, SpecModel
from mlsd_framework.spec.quantities import Count


class MetricSpec(SpecModel):
    """What every kind of metric has."""

    metric: str
    name: Name | None = Field(
        None, alias="as", description="What gates and reports call it, where the kind's own name will not do."
    )


class OnboardingSpec(SpecModel):
    """Users of the test asked again as if they were new: the slices `newcomers`, who say nothing, and `onboarded`.

    The onboarded say what they like: what is most frequent in the history that is hidden from the pipeline.
    """

    value: Name = Field(description="The value of the request, a list, that says what a user likes.")
    source: str = Field(alias="from", description="The column of the items that is liked, as `group.feature`.")
    most: int = Field(3, ge=1, le=100, description="How many values a user says.")
    sample: Count = Field(1000, description="How many requests of the test are asked again at most.")


class MetricsBase(SpecModel):
    """All but the metrics themselves, whose items depend on the kinds at hand."""

    slices: dict[Name, list[float] | Literal["by value"]] = Field(
        default_factory=dict,
        description="Columns by whose values, or bins between the numbers given, every metric is shown.",
    )
    bootstrap: int = Field(200, ge=0, le=10_000, description="Resamples for the intervals; 0 for none.")
    onboarding: OnboardingSpec | None = Field(
        None,
        description="Whether newcomers are measured, who say what they like: `{value: likes, from: product.kind}`.",
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="The intervals' confidence.")
