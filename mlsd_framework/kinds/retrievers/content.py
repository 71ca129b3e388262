"""`kind: content`: items that are, in words, like those of the history."""

from typing import Annotated, Any, Literal

from pydantic import Field

from mlsd_framework.codegen.python import Call, Imports, Raw, given
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.kinds.retrievers.parts import FILE, fading, vectors_call, weighting
from mlsd_framework.spec.base import Name
from mlsd_framework.spec.quantities import OneOrMore
from mlsd_framework.spec.retrievers import FadingSpec


class ContentSpec(FadingSpec):
    """Items whose words are like those of the history's items, those without any event too."""

    kind: Literal["content"]
    text: Annotated[list[Name], OneOrMore] = Field(
        min_length=1, description="Columns of the table that lists the items: what each of them is, in words."
    )
    embedding: Literal["minilm", "hashed"] = Field(
        "minilm",
        description="How words become vectors: by a language model, or by words and parts of words that they share.",
    )
    dimensions: int = Field(64, ge=1, le=384, description="Principal axes of the vectors that are kept.")


class Content:
    """Items that are, in words, like those of the history."""

    name = "content"
    spec = ContentSpec
    file = FILE
    has_vectors = True

    def source(self, retriever: Retriever) -> str:  # noqa: ARG002 - the kind's protocol
        """Return its class."""
        return "mlsd_framework.runtime.retrieval.content:Content"

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return how words become vectors, and how histories are weighed."""
        return (("embedding", spec.embedding), ("dimensions", spec.dimensions), *fading(spec))

    def vectors(self, retriever: Retriever, imports: Imports) -> Call:
        """Return the call that makes vectors of words."""
        return vectors_call(str(retriever.setting("embedding")), imports)

    def fit(self, retriever: Retriever, imports: Imports) -> Call:
        """Return the call that takes the vectors of the items."""
        named = given(dimensions=int(str(retriever.setting("dimensions"))))
        return Call("Content.fit", (Raw("vectors()"),), (*named, *weighting(retriever, imports)))
