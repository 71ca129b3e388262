"""The YAML of `take`."""

from typing import ClassVar, Literal

from pydantic import Field

from mlsd_framework.spec.base import Name
from mlsd_framework.spec.serving import StageSpec


class TakeSpec(StageSpec):
    """Keep the first candidates."""

    short: ClassVar[str | None] = "k"

    stage: Literal["take"]
    k: int | Name = Field(description="How many, or the value of the request that says so.")
