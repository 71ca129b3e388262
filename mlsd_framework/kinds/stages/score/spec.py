"""The YAML of `score`."""

from typing import ClassVar, Literal

from pydantic import Field

from mlsd_framework.spec.base import Name
from mlsd_framework.spec.serving import StageSpec


class ScoreSpec(StageSpec):
    """Ask a model about the request."""

    short: ClassVar[str | None] = "model"

    stage: Literal["score"]
    model: Name = Field(description="The model to ask.")
