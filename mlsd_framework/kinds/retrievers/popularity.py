"""`kind: popularity`: what all users deal with most lately."""

from typing import Any, Literal

from pydantic import Field

from mlsd_framework.codegen.python import Call, Imports, Raw, given
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.kinds.retrievers.parts import FILE, length, microseconds
from mlsd_framework.spec.quantities import Duration
from mlsd_framework.spec.retrievers import RetrieverSpec


class PopularitySpec(RetrieverSpec):
    """The items with most events, lately."""

    kind: Literal["popularity"]
    window: Duration | None = Field(None, description="How old an event may be to count; however old, where left out.")
    half_life: Duration | None = Field(None, description="After what time an event counts half.")
    keep: int = Field(1000, ge=1, le=1_000_000, description="How many items are kept.")


class Popularity:
    """The items with most events, lately."""

    name = "popularity"
    spec = PopularitySpec
    source = "mlsd_framework.runtime.retrieval.popularity:Popularity"
    file = FILE

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the lengths of time in microseconds."""
        lengths = (("window", microseconds(spec.window)), ("half_life", microseconds(spec.half_life)))
        return (*lengths, ("keep", spec.keep))

    def fit(self, retriever: Retriever, imports: Imports) -> Call:
        """Return the call that counts the log."""
        named = given(
            window=length(retriever.setting("window"), imports),
            half_life=length(retriever.setting("half_life"), imports),
            keep=int(str(retriever.setting("keep"))),
        )
        return Call("Popularity.fit", (Raw("log"),), named)
