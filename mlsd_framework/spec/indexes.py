"""`indexes`: vectors that can be searched."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mlsd_framework.spec.base import Name, SpecModel
from mlsd_framework.spec.quantities import Fraction, OneOrMore

Engine = Literal["exact", "scann", "faiss-ivfpq", "faiss-hnsw"]


class IndexSpec(SpecModel):
    """One index: `items: towers` is short for `items: {model: towers}`."""

    short: ClassVar[str | None] = "model"

    model: Name = Field(description="The model whose items' vectors are searched.")
    recall: Fraction = Field(0.95, description="The share of the truly nearest items that a search has to find.")
    k: int = Field(10, ge=1, le=10_000, description="Of how many nearest items the share is.")
    engines: Annotated[list[Engine], OneOrMore, Field(min_length=1)] = Field(
        default=["exact", "scann"],
        description="What may be built; the fastest that reaches the recall is taken, by measurement.",
    )
