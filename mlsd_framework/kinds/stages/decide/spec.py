"""The YAML of `decide`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mlsd_framework.spec.base import ExpressionText, Name, SpecModel
from mlsd_framework.spec.serving import StageSpec


class CostSpec(SpecModel):
    """What each kind of error costs, as a number or an expression over the request, in one unit of money."""

    false_negative: ExpressionText = Field(description="Cost of letting a positive through.")
    false_positive: ExpressionText = Field(description="Cost of stopping a negative.")
    review: float | None = Field(None, ge=0, description="Cost of a review, which is taken to find the truth.")


class DecideSpec(StageSpec):
    """Choose one of the actions: a rule's, or by the score against thresholds.

    `actions` run from the mildest to the hardest. With `cost`, thresholds are those of least cost on
    the validation part; with `thresholds`, they are the probabilities given, one an action but the first.
    """

    stage: Literal["decide"]
    score: Name = Field(description="The model whose probability decides.")
    actions: Annotated[list[Name], Field(min_length=2, max_length=8)] = Field(
        description="The actions, from the mildest to the hardest."
    )
    cost: CostSpec | None = Field(None, description="What each kind of error costs.")
    thresholds: dict[Name, float] | None = Field(
        None, description="The least probability of each action but the first."
    )

    @model_validator(mode="after")
    def _one_of(self) -> "DecideSpec":
        if (self.cost is None) == (self.thresholds is None):
            how = "neither" if self.cost is None else "both"
            raise PydanticCustomError(
                "one-of", "has {how} of `cost` and `thresholds`", {"how": how, "expected": "one of the two"}
            )
        return self
