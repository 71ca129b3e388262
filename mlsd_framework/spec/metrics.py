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


class OffPolicySpec(SpecModel):
    """What the pipeline would have earned in place of the policy that wrote a log, estimated from that log.

    A row of the source is an item that a user was shown in a place, with the probability with which it was shown there
    and what it earned. Rows of the time of the test count that have both. The pipeline is asked as of each request's
    own time, and its probability of the same item in the same place is 1 or 0, or that of its `explore` stage.
    """

    source: Name = Field(alias="from", description="The source of the impressions, a row an item shown.")
    propensity: Name = Field(
        description="The column with the probability, above 0, with which the item was shown in its place."
    )
    reward: Name = Field(description="The column that says what showing it earned: a number, or a boolean for 0 and 1.")
    position: Name | None = Field(
        None, description="The column with the place, from 1; without one, every row is of the first place."
    )
    request: Name | None = Field(None, description="The column that rows of one request share; their time, left out.")
    clip: float | None = Field(None, gt=0, description="The largest weight of a row; a larger one is cut to it.")


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
    off_policy: OffPolicySpec | None = Field(
        None, description="What the pipeline would have earned, estimated from a log with propensities."
    )
    bootstrap: int = Field(200, ge=0, le=10_000, description="Resamples for the intervals; 0 for none.")
    onboarding: OnboardingSpec | None = Field(
        None,
        description="Whether newcomers are measured, who say what they like: `{value: likes, from: product.kind}`.",
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="The intervals' confidence.")
