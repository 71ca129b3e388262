"""`kind: ease`: a linear autoencoder in closed form."""

from typing import Any, Literal

from pydantic import Field

from mlsd_framework.codegen.python import Call, Imports, Raw, given
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.kinds.retrievers.parts import FILE, fading, weighting
from mlsd_framework.spec.retrievers import FadingSpec


class EaseSpec(FadingSpec):
    """Weights between items that best make each history from its other items (Steck 2019)."""

    kind: Literal["ease"]
    l2: float = Field(500.0, gt=0, description="Regularisation of the weights, in users.")
    items: int = Field(5000, ge=1, le=20_000, description="How many items, those that most users have, are learned.")


class Ease:
    """A linear autoencoder in closed form."""

    name = "ease"
    spec = EaseSpec
    file = FILE

    def source(self, retriever: Retriever) -> str:  # noqa: ARG002 - the kind's protocol
        """Return its class."""
        return "mlsd_framework.runtime.retrieval.ease:Ease"

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the regularisation and the size."""
        return (("l2", spec.l2), ("items", spec.items), *fading(spec))

    def fit(self, retriever: Retriever, imports: Imports) -> Call:
        """Return the call that solves for the weights."""
        named = given(l2=float(str(retriever.setting("l2"))), most=int(str(retriever.setting("items"))))
        return Call("Ease.fit", (Raw("log"),), (*named, *weighting(retriever, imports)))
