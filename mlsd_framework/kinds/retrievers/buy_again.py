"""`kind: buy_again`: which items of the user's own history are due."""

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from mlsd_framework.codegen.python import Call, Imports, Raw, given
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.kinds.retrievers.parts import FILE, length, microseconds
from mlsd_framework.spec.quantities import Duration
from mlsd_framework.spec.retrievers import RetrieverSpec


class BuyAgainSpec(RetrieverSpec):
    """Items of the history that are due, by the cadence of the user, of the item, and of the two together."""

    kind: Literal["buy_again"]
    horizon: Duration = Field(description="Within what time an item has to come again.")
    apart: Duration = Field(timedelta(hours=1), description="Events closer than this are one occasion.")
    cutoffs: int = Field(4, ge=1, le=100, description="At how many moments of the past examples are taken.")
    users: int = Field(1000, ge=1, le=1_000_000, description="How many users examples are taken of.")
    seed: int = Field(0, description="Seed of the draw of users.")


class BuyAgain:
    """Items of the history that are due."""

    name = "buy_again"
    quick = True
    spec = BuyAgainSpec
    file = FILE
    of_history = True

    def source(self, retriever: Retriever) -> str:  # noqa: ARG002 - the kind's protocol
        """Return its class."""
        return "mlsd_framework.runtime.retrieval.buy_again:BuyAgain"

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the lengths of time in microseconds."""
        lengths = (("horizon", microseconds(spec.horizon)), ("apart", microseconds(spec.apart)))
        return (*lengths, ("cutoffs", spec.cutoffs), ("users", spec.users), ("seed", spec.seed))

    def fit(self, retriever: Retriever, imports: Imports) -> Call:
        """Return the call that learns what makes an item come again."""
        numbers = {name: int(str(retriever.setting(name))) for name in ("cutoffs", "users", "seed")}
        named = given(
            horizon=length(retriever.setting("horizon"), imports),
            apart=length(retriever.setting("apart"), imports),
            cutoffs=numbers["cutoffs"],
            most=numbers["users"],
            seed=numbers["seed"],
        )
        return Call("BuyAgain.fit", (Raw("log"),), named)
