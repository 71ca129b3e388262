"""`kind: ease`: a linear autoencoder in closed form."""

from typing import Annotated, Any, Literal

from pydantic import Field

from mlsd_framework.codegen.python import Call, Imports, Raw, given
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.kinds.retrievers.parts import FILE, fading, length, microseconds, vectors_call, weighting
from mlsd_framework.spec.base import Name
from mlsd_framework.spec.quantities import Duration, OneOrMore
from mlsd_framework.spec.retrievers import FadingSpec


class EaseSpec(FadingSpec):
    """Weights between items that best make each history from its other items (Steck 2019)."""

    kind: Literal["ease"]
    l2: float = Field(500.0, gt=0, description="Regularisation of the weights, in users.")
    items: int = Field(5000, ge=1, le=20_000, description="How many items, those that most users have, are learned.")
    sessions: Duration | None = Field(
        None, description="The pause that ends a session: what is learned then comes together in one, not with a user."
    )
    text: Annotated[list[Name], OneOrMore] = Field(
        default_factory=list,
        description="Columns of the table that lists the items: those alike in these words are near from the start.",
    )
    embedding: Literal["minilm", "hashed"] = Field(
        "hashed", description="How words become vectors, as for `kind: content`."
    )
    likeness: float = Field(
        20.0, gt=0, description="How many users who have both it is worth that two items have the same words."
    )


class Ease:
    """A linear autoencoder in closed form."""

    name = "ease"
    quick = True
    spec = EaseSpec
    file = FILE

    def source(self, retriever: Retriever) -> str:  # noqa: ARG002 - the kind's protocol
        """Return its class."""
        return "mlsd_framework.runtime.retrieval.ease:Ease"

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the regularisation, the size, and what is learned from."""
        words = (("embedding", spec.embedding), ("likeness", spec.likeness)) if spec.text else ()
        return (
            ("l2", spec.l2), ("items", spec.items), ("sessions", microseconds(spec.sessions)), *words, *fading(spec)
        )  # fmt: skip

    def vectors(self, retriever: Retriever, imports: Imports) -> Call:
        """Return the call that makes vectors of words."""
        return vectors_call(str(retriever.setting("embedding")), imports)

    def fit(self, retriever: Retriever, imports: Imports) -> Call:
        """Return the call that solves for the weights."""
        words = retriever.item_text != ()
        named = given(
            l2=float(str(retriever.setting("l2"))),
            most=int(str(retriever.setting("items"))),
            sessions=length(retriever.setting("sessions"), imports),
            vectors=Raw("vectors()") if words else None,
            likeness=float(str(retriever.setting("likeness"))) if words else None,
        )
        return Call("Ease.fit", (Raw("log"),), (*named, *weighting(retriever, imports)))
