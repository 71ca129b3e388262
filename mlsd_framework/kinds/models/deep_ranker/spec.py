"""The YAML of a deep ranker."""

from typing import Annotated, Literal

from pydantic import Field

from mlsd_framework.spec.base import Name
from mlsd_framework.spec.models import ModelSpec
from mlsd_framework.spec.quantities import Fraction, OneOrMore


class DeepRankerSpec(ModelSpec):
    """A neural network that orders the candidates of a request; it needs the extra `deep` to train."""

    kind: Literal["deep.ranker"]
    label: Name = Field(description="The label that it learns.")
    network: Literal["wide_deep", "deepfm", "dlrm", "sequence"] = Field(
        "deepfm",
        description="Wide & Deep (2016), DeepFM (2017), DLRM (2019), or attention over last items (DIN, 2018).",
    )
    loss: Literal["pointwise", "listwise"] = Field(
        "listwise", description="What is learned: each candidate by itself, or those of a request against one another."
    )
    embedding: int = Field(16, ge=1, le=4096, description="Length of the vector of a category, and of an item.")
    least: int = Field(5, ge=1, description="Examples that a category or an item needs for a vector of its own.")
    history: int = Field(20, ge=1, le=1000, description="Last items of the user that `sequence` reads.")
    layers: Annotated[list[int], OneOrMore] = Field(
        default_factory=lambda: [128, 64], description="Widths of the hidden layers."
    )
    dropout: Fraction = Field(0.0, description="Share of the hidden layers that training drops.")
    epochs: int = Field(10, ge=1, le=10_000, description="Passes over the requests at most.")
    patience: int = Field(
        2, ge=1, description="Passes without a better order of the validation part after which training stops."
    )
    batch: int = Field(32, ge=1, le=100_000, description="Requests of a step, each with all of its candidates.")
    learning_rate: float = Field(0.001, gt=0, description="Step of the optimizer.")
    top: int = Field(10, ge=1, le=10_000, description="NDCG of how many candidates early stopping watches.")
