"""The YAML of `compute`."""

from typing import ClassVar, Literal

from pydantic import Field

from mlsd_framework.spec.base import Name
from mlsd_framework.spec.serving import StageSpec


class ComputeSpec(StageSpec):
    """Compute the features of a request group."""

    short: ClassVar[str | None] = "group"

    stage: Literal["compute"]
    group: Name = Field(description="The request group to compute.")
