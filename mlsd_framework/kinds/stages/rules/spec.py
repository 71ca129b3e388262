"""The YAML of `rules`."""

from typing import ClassVar, Literal

from pydantic import Field

from mlsd_framework.spec.base import ExpressionText, Name, SpecModel
from mlsd_framework.spec.serving import StageSpec


class RuleSpec(SpecModel):
    """One rule: where `when` is true, `action` is taken unless a rule of a lower `priority` fired too."""

    name: Name = Field(description="What reasons and metrics call it.")
    when: ExpressionText = Field(description="A condition; null counts as false.")
    action: Name = Field(description="The action that it takes.")
    priority: int = Field(100, description="The lowest number wins; ties go to the rule written first.")
    reason: str | None = Field(None, max_length=300, description="What the answer says when it fired.")


class RulesSpec(StageSpec):
    """Check named expressions; the first that fires, by priority, decides before any score."""

    short: ClassVar[str | None] = "rules"

    stage: Literal["rules"]
    rules: list[RuleSpec] = Field(min_length=1, description="The rules.")
