"""What every section's models share: strictness, short forms, names."""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

NAME = r"^[A-Za-z][A-Za-z0-9_]{0,62}$"

Name = Annotated[str, StringConstraints(pattern=NAME)]
"""A name of the spec: it becomes Python identifiers, file names and keys."""

EndpointPath = Annotated[str, StringConstraints(pattern=r"^(/[a-z][a-z0-9_-]{0,39}){1,4}$")]
"""The path of an endpoint."""

SystemName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
"""A system's name: it becomes a folder, an image and a Kubernetes name."""

ExpressionText = Annotated[str | int | float | bool, Field(json_schema_extra={"x-mlsd": "expression"})]
"""A scalar expression; numbers and booleans may be written bare."""


class SpecModel(BaseModel):
    """A mapping of the spec: unknown keys are errors, values are never guessed into another type.

    A subclass whose most frequent key can be written without the mapping names it in `short`:
    `key: card_id` is then the same as `card: {key: card_id}`.
    """

    # Built when the whole spec's model is first used: a class of its own would be built a second time inside it.
    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False, strict=True, defer_build=True
    )
    short: ClassVar[str | None] = None

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Any) -> Any:
        if cls.short is not None and not isinstance(value, (dict, BaseModel)):
            return {cls.short: value}
        return {} if value is None else value
