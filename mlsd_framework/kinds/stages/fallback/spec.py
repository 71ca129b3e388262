"""The YAML of `fallback`."""

from typing import ClassVar, Literal

from pydantic import Field

from mlsd_framework.spec.base import ExpressionText, Name, SpecModel
from mlsd_framework.spec.serving import StageSpec


class FallbackCaseSpec(SpecModel):
    """One case of a fallback."""

    when: ExpressionText = Field(description="A condition over the request alone.")
    action: Name = Field(description="The action that it takes.")


class FallbackSpec(StageSpec):
    """The answer when a stage with `on_error: fallback` fails: by cases over the request, else `action`."""

    short: ClassVar[str | None] = "action"

    stage: Literal["fallback"]
    action: Name = Field(description="The action where no case holds.")
    when: list[FallbackCaseSpec] = Field(default_factory=list, description="Cases, the first that holds wins.")
