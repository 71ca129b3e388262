"""`entities`: what features are about."""

from typing import Annotated, ClassVar

from pydantic import Field

from mlsd_framework.spec.base import Name, SpecModel
from mlsd_framework.spec.quantities import OneOrMore


class EntitySpec(SpecModel):
    """One entity: `card: card_id` is short for `card: {key: card_id}`."""

    short: ClassVar[str | None] = "key"

    key: Annotated[list[Name], OneOrMore] = Field(description="The columns whose values name one of them.")
    source: Name | None = Field(None, alias="from", description="The table that lists them all, such as a catalogue.")
    title: Annotated[list[Name], OneOrMore] = Field(
        default_factory=list, description="Columns of `from` that say in words which one it is."
    )
    describe: str | None = Field(None, description="What it is called in reasons and reports.")
