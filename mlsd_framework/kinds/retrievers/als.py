"""`kind: als`: matrix factorisation by alternating least squares."""

from typing import Any, Literal

from pydantic import Field

from mlsd_framework.codegen.python import Call, Imports, Raw, given
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.kinds.retrievers.parts import FILE, fading, weighting
from mlsd_framework.spec.retrievers import FadingSpec


class AlsSpec(FadingSpec):
    """Factors of items and users that best make implicit feedback (Hu, Koren, Volinsky 2008)."""

    kind: Literal["als"]
    factors: int = Field(64, ge=1, le=1024, description="Factors of an item.")
    l2: float = Field(0.1, ge=0, description="Regularisation of the factors.")
    alpha: float = Field(10.0, gt=0, description="Confidence that a weight of 1 adds.")
    iterations: int = Field(15, ge=1, le=1000, description="Rounds of learning.")
    items: int = Field(20_000, ge=1, description="How many items, those that most users have, are learned.")
    seed: int = Field(0, description="Seed of the first factors.")


class Als:
    """Matrix factorisation by alternating least squares."""

    name = "als"
    spec = AlsSpec
    file = FILE
    has_vectors = True

    def source(self, retriever: Retriever) -> str:  # noqa: ARG002 - the kind's protocol
        """Return its class."""
        return "mlsd_framework.runtime.retrieval.als:Als"

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the hyperparameters."""
        own = ("factors", "l2", "alpha", "iterations", "items", "seed")
        return (*((name, getattr(spec, name)) for name in own), *fading(spec))

    def fit(self, retriever: Retriever, imports: Imports) -> Call:
        """Return the call that learns the factors."""
        whole = {name: int(str(retriever.setting(name))) for name in ("factors", "iterations", "items", "seed")}
        named = given(
            factors=whole["factors"],
            l2=float(str(retriever.setting("l2"))),
            alpha=float(str(retriever.setting("alpha"))),
            iterations=whole["iterations"],
            most=whole["items"],
        )
        return Call("Als.fit", (Raw("log"),), (*named, *weighting(retriever, imports), ("seed", whole["seed"])))
