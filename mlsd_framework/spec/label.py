"""`label`: what is predicted, and when it is known."""

from datetime import timedelta
from typing import Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mlsd_framework.spec.base import EndpointPath, Name, SpecModel
from mlsd_framework.spec.quantities import Duration


class LabelSpec(SpecModel):
    """The label of the examples.

    `from` is the source that holds it; `of` is the source whose rows are the examples, joined by
    `join`. Where both are one source, `of` and `join` are left out.

    Where `of` is an endpoint, such as `/recommend`, the examples are the candidates that it retrieves at moments of the
    past, and the label is whether `from` has an event of the user with the candidate `within` a time after.
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
    of: Name | EndpointPath | None = Field(
        None, description="The source whose rows are the examples, or the endpoint whose candidates are."
    )
    join: Name | None = Field(None, description="The column that both sources share.")
    matures_after: Duration = Field(timedelta(0), description="How long after the example its label is known.")
    user: Name = Field("user", description="The entity whose events with candidates count, where `of` is an endpoint.")
    item: Name = Field("item", description="The entity of the candidates, where `of` is an endpoint.")
    within: Duration | None = Field(None, description="How long after the request an event with a candidate counts.")
    every: Duration | None = Field(None, description="How far apart the moments of requests are; `within`, left out.")
    moments: int | None = Field(
        None, ge=3, le=1000, description="How many moments: the last is the test, the one before it the validation."
    )
    negatives: int | None = Field(
        None, ge=1, description="Candidates without the outcome that a request of training keeps; all, where left out."
    )
