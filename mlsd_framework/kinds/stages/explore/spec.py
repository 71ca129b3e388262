"""The YAML of `explore`."""

from typing import Annotated, Literal

from pydantic import Field

from mlsd_framework.spec.base import ExpressionText
from mlsd_framework.spec.quantities import Fraction
from mlsd_framework.spec.serving import StageSpec


class ExploreSpec(StageSpec):
    """Let some ranks show candidates from further behind, drawn by the id of the request, with exact propensities.

    The answer has the `propensity` of each of the first `top`: the probability that it stands where it stands.
    """

    stage: Literal["explore"]
    how: Literal["epsilon_greedy", "thompson"] = Field(
        "epsilon_greedy", description="Any of the pool alike now and then, or each as often as it may be the best."
    )
    slots: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, max_length=100, description="The ranks, from 1, that may show another candidate."
    )
    top: int = Field(ge=1, le=100_000, description="How many candidates are seen; those behind may be explored.")
    where: ExpressionText = Field(
        default=True, description="Which candidates may be explored, such as new ones; all, where left out."
    )
    pool: int = Field(50, ge=1, le=1000, description="How many of them, those nearest behind, may be explored at most.")
    epsilon: Fraction | None = Field(
        None, description="How often a slot explores, with `epsilon_greedy`; 0.1, where left out."
    )
    successes: str | None = Field(None, description="The feature that counts successes, with `thompson`.")
    trials: str | None = Field(None, description="The feature that counts showings, with `thompson`.")
    prior: list[Annotated[float, Field(gt=0)]] | None = Field(
        None,
        min_length=2,
        max_length=2,
        description="Successes and failures that `thompson` begins with; `[1, 1]`, where left out.",
    )
