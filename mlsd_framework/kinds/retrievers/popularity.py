"""`kind: popularity`: what all users deal with most lately."""

from typing import Any, Literal

from pydantic import Field

from mlsd_framework.codegen.python import Call, Imports, Raw, given, literal
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.ir.types import INTEGERS, DataType
from mlsd_framework.kinds.retrievers.parts import FILE, RETRIEVAL, length, microseconds
from mlsd_framework.spec.quantities import Duration
from mlsd_framework.spec.retrievers import RetrieverSpec


class PopularitySpec(RetrieverSpec):
    """The items with most events, lately."""

    kind: Literal["popularity"]
    window: Duration | None = Field(None, description="How old an event may be to count; however old, where left out.")
    half_life: Duration | None = Field(None, description="After what time an event counts half.")
    by: str | None = Field(
        None, description="The feature of a table about users by whose values events are counted apart."
    )
    keep: int = Field(1000, ge=1, le=1_000_000, description="How many items are kept.")

    @property
    def user_features(self) -> list[str]:
        """What it reads of who asks."""
        return [self.by] if self.by is not None else []


class Popularity:
    """The items with most events, lately."""

    name = "popularity"
    quick = True
    spec = PopularitySpec

    def source(self, retriever: Retriever) -> str:
        """Return its class: one list, or a list a segment."""
        segmented = bool(retriever.user_features)
        return f"{RETRIEVAL}.{'segments:SegmentPopularity' if segmented else 'popularity:Popularity'}"

    file = FILE

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the lengths of time in microseconds."""
        lengths = (("window", microseconds(spec.window)), ("half_life", microseconds(spec.half_life)))
        return (*lengths, ("keep", spec.keep), ("by", spec.by))

    def fit(self, retriever: Retriever, imports: Imports) -> Call:
        """Return the call that counts the log."""
        named = given(
            window=length(retriever.setting("window"), imports),
            half_life=length(retriever.setting("half_life"), imports),
            keep=int(str(retriever.setting("keep"))),
        )
        if not retriever.user_features:
            return Call("Popularity.fit", (Raw("log"),), named)
        by = retriever.user_features[0].dotted
        values = Raw(f"users(log.user_keys)[{literal(by)}].to_list()")
        return Call("SegmentPopularity.fit", (Raw("log"), values, by), named)

    def accepts(self, type_: DataType) -> bool:
        """Take values by which users are told apart."""
        return type_.text or type_.name in (*INTEGERS, "bool")
