"""The YAML of `explain`."""

from typing import ClassVar, Literal

from pydantic import Field

from mlsd_framework.spec.base import Name
from mlsd_framework.spec.serving import StageSpec


class ExplainSpec(StageSpec):
    """Give the reasons of the decision: rules that fired, and the features that moved the score most."""

    short: ClassVar[str | None] = "model"

    stage: Literal["explain"]
    model: Name = Field(description="The model whose score is explained.")
    top: int = Field(3, ge=1, le=20, description="Features to name.")
    on: list[Name] | None = Field(None, description="The actions that are explained; all, where left out.")
