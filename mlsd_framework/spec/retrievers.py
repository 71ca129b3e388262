"""`models` that find candidates: what every kind of retriever has; the kinds add what is theirs."""

from typing import Literal

from pydantic import Field

from mlsd_framework.spec.base import Name, SpecModel
from mlsd_framework.spec.quantities import Duration


class InteractionsSpec(SpecModel):
    """Events of a source as who met which item."""

    source: Name = Field(alias="from", description="The source whose events say who met which item.")
    user: Name = Field("user", description="The entity that meets items.")
    item: Name = Field("item", description="The entity that is met; it lists its items with `from`.")


class RetrieverSpec(InteractionsSpec):
    """What every kind of retriever has."""

    kind: str
    describe: str | None = Field(None, description="What it finds; it stands in reports.")


class FadingSpec(RetrieverSpec):
    """What retrievers have that weigh the items of a history."""

    half_life: Duration | None = Field(None, description="After what time an event of a history counts half.")
    repeats: Literal["once", "log", "sum"] = Field(
        "once", description="How events with one item add up: the last alone, the logarithm of their sum, or their sum."
    )
