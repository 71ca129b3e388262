"""The YAML of `cap`."""

from typing import Literal

from pydantic import Field

from mlsd_framework.spec.serving import StageSpec


class CapSpec(StageSpec):
    """Let at most so many of the first candidates be of one brand, seller or category; null is of none."""

    stage: Literal["cap"]
    by: str = Field(description="The feature of a candidate that is capped, text or whole numbers.")
    most: int = Field(ge=1, le=100_000, description="How many of the first `top` may have one value.")
    top: int = Field(ge=1, le=100_000, description="How many candidates it holds for: as many as are seen.")
    overflow: Literal["behind", "drop"] = Field(
        "behind", description="Whether what is over the cap stands behind the first `top`, or goes."
    )
