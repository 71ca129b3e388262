"""`kind: item_item`: items that come together with those of the history."""

from typing import Any, Literal

from pydantic import Field

from mlsd_framework.codegen.python import Call, Imports, Raw, given
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.kinds.retrievers.parts import FILE, fading, length, microseconds, weighting
from mlsd_framework.spec.quantities import Duration
from mlsd_framework.spec.retrievers import FadingSpec


class ItemItemSpec(FadingSpec):
    """Items that the users of one item have too, more than chance would have it."""

    kind: Literal["item_item"]
    similarity: Literal["cosine", "jaccard", "lift", "llr"] = Field(
        "cosine", description="How what comes together is held against what comes at all."
    )
    shrinkage: float = Field(10.0, ge=0, description="How many meetings a similarity needs to be half believed.")
    neighbours: int = Field(200, ge=1, le=10_000, description="Neighbours that an item keeps.")
    least: int = Field(2, ge=1, description="Users that an item needs.")
    fade: Duration | None = Field(None, description="After what time an event counts half in what is learned.")
    sessions: Duration | None = Field(
        None, description="The pause that ends a session: what is learned then comes together in one, not with a user."
    )


class ItemItem:
    """Items that come together with those of the history."""

    name = "item_item"
    quick = True
    spec = ItemItemSpec
    file = FILE

    def source(self, retriever: Retriever) -> str:  # noqa: ARG002 - the kind's protocol
        """Return its class."""
        return "mlsd_framework.runtime.retrieval.item_item:ItemItem"

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return what is counted and how."""
        own = ("similarity", "shrinkage", "neighbours", "least")
        lengths = tuple((name, microseconds(getattr(spec, name))) for name in ("fade", "sessions"))
        return (*((name, getattr(spec, name)) for name in own), *lengths, *fading(spec))

    def fit(self, retriever: Retriever, imports: Imports) -> Call:
        """Return the call that counts what comes together."""
        named = given(
            similarity=str(retriever.setting("similarity")),
            shrinkage=float(str(retriever.setting("shrinkage"))),
            neighbours=int(str(retriever.setting("neighbours"))),
            least=int(str(retriever.setting("least"))),
            fade=length(retriever.setting("fade"), imports),
            sessions=length(retriever.setting("sessions"), imports),
        )
        return Call("ItemItem.fit", (Raw("log"),), (*named, *weighting(retriever, imports)))
