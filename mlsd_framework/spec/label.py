"""`label`: what is predicted, and when it is known."""

from datetime import timedelta
from typing import Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mlsd_framework.spec.base import Name, SpecModel
from mlsd_framework.spec.quantities import Duration


class LabelSpec(SpecModel):
    """The label of the examples.

    `from` is the source that holds it; `of` is the source whose rows are the examples, joined by
    `join`. Where both are one source, `of` and `join` are left out.
    """

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        if isinstance(value, list):
            expected = "`{name: …, from: …}`"
            raise PydanticCustomError("mapping", "is a list, and a system has one label", {"expected": expected})
        return value

    name: Name = Field(description="What models and metrics call it.")
    source: Name = Field(alias="from", description="The source that holds it.")
    column: Name | None = Field(None, description="The column that holds it; its name, where left out.")
    of: Name | None = Field(None, description="The source whose rows are the examples; `from`, where left out.")
    join: Name | None = Field(None, description="The column that both sources share.")
    matures_after: Duration = Field(timedelta(0), description="How long after the example its label is known.")
