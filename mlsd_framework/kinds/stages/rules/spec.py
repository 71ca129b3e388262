"""The YAML of `rules`."""

from typing import ClassVar, Literal

from pydantic import Field

from mlsd_framework.spec.base import ExpressionText, Name, SpecModel
from mlsd_framework.spec.serving import StageSpec


class RuleSpec(SpecModel):
    """One rule: where `when` is true, `action` is called for.

    The model speaks at priority 0. The highest priority decides; at the same priority the hardest action does, so that
    a rule without a priority can only make a decision harder.
    """

    name: Name = Field(description="What reasons and metrics call it.")
    when: ExpressionText = Field(description="A condition; null counts as false.")
    action: Name = Field(description="The action that it takes.")
    priority: int = Field(0, ge=0, le=1000, description="The highest decides; 0 can only make the decision harder.")
    reason: str | None = Field(None, max_length=300, description="What the answer says when it fired.")


class RulesSpec(StageSpec):
    """Check named expressions, and let those that are true speak in the decision."""

    short: ClassVar[str | None] = "rules"

    stage: Literal["rules"]
    rules: list[RuleSpec] = Field(min_length=1, description="The rules.")
