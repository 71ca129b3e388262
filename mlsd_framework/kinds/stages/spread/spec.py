"""The YAML of `spread`."""

from typing import Literal

from pydantic import Field

from mlsd_framework.spec.serving import StageSpec


class SpreadSpec(StageSpec):
    """Keep candidates of one brand, seller or category apart in what is seen first; null always fits."""

    stage: Literal["spread"]
    by: str = Field(description="The feature of a candidate that is spread, text or whole numbers.")
    gap: int = Field(ge=1, le=1000, description="How many others stand between two of one value at least.")
    top: int = Field(ge=1, le=100_000, description="How many candidates it holds for: as many as are seen.")
