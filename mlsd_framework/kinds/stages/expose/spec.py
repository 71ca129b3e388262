"""The YAML of `expose`."""

from typing import Literal

from pydantic import Field

from mlsd_framework.spec.base import Name
from mlsd_framework.spec.quantities import Fraction
from mlsd_framework.spec.serving import StageSpec


class ExposeSpec(StageSpec):
    """Give some values of a feature at least a share of the exposure of the first candidates, at the least loss.

    The exposure of a rank is `1 / log2(1 + rank)`. A list that keeps the shares as it stands is not touched.
    """

    stage: Literal["expose"]
    by: str = Field(description="The feature of a candidate that tells groups apart, text or whole numbers.")
    at_least: dict[str, Fraction] = Field(min_length=1, description="The share of each value that is to have one.")
    top: int = Field(ge=1, le=1000, description="How many candidates it holds for: as many as are seen.")
    score: Name | None = Field(None, description="The score that says what an order is worth; the last, if left out.")
