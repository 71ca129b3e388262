"""The YAML of `boost`."""

from typing import Literal

from pydantic import Field

from mlsd_framework.spec.base import ExpressionText, Name
from mlsd_framework.spec.serving import StageSpec


class BoostSpec(StageSpec):
    """Raise or lower the scores of candidates for which a condition is true, and order all by score; null is not true.

    A ranker's score is a logarithm: `times` multiplies the odds, or the weight, that it is the logarithm of.
    """

    stage: Literal["boost"]
    where: ExpressionText = Field(description="A condition on features of a candidate and values of the request.")
    times: float = Field(1.0, gt=0, description="What the score is multiplied by, or what it is the logarithm of.")
    plus: float = Field(0.0, description="What is added to the score as it is.")
    score: Name | None = Field(None, description="The score that is changed; the last one, where left out.")
