"""The YAML of a two-tower model."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mlsd_framework.spec.base import SpecModel
from mlsd_framework.spec.indexes import Engine
from mlsd_framework.spec.quantities import Count, Fraction, OneOrMore
from mlsd_framework.spec.retrievers import RetrieverSpec


class HardSpec(SpecModel):
    """Items that are near to the user, who never met them: `hard: 4` is short for `hard: {n: 4}`."""

    short: ClassVar[str | None] = "n"

    n: int = Field(0, ge=0, le=1000, description="How many are drawn, a row.")
    pool: int = Field(
        100,
        ge=1,
        le=10_000,
        description="Of how many nearest ones they are drawn; found anew before each epoch but the first.",
    )
    skip: int = Field(0, ge=0, le=10_000, description="How many of the very nearest are passed over.")
    engine: Engine = Field("exact", description="What finds them; exact search looks at all items for each event.")


class NegativesSpec(SpecModel):
    """What a positive is held against, beside the other items of its batch."""

    uniform: int = Field(0, ge=0, le=100_000, description="Items drawn evenly, a batch.")
    popular: int = Field(0, ge=0, le=100_000, description="Items drawn by popularity, a batch.")
    hard: HardSpec = Field(default_factory=HardSpec, description="Items near to the user that it never met.")
    corrected: bool = Field(
        default=True, description="Whether scores are corrected by each item's chance to be there (logQ)."
    )


class TwoTowerSpec(RetrieverSpec):
    """Two networks that bring users and items into one space, by in-batch sampled softmax (Yi et al. 2019)."""

    kind: Literal["two_tower"]
    history: int = Field(20, ge=1, le=1000, description="Last items of the user that its tower reads.")
    pooling: Literal["mean", "attention"] = Field("mean", description="How the last items become one vector.")
    user_features: Annotated[list[str], OneOrMore] = Field(
        default_factory=list, description="What else the user tower reads: `group.feature` or `group.*` of a table."
    )
    item_features: Annotated[list[str], OneOrMore] = Field(
        default_factory=list, description="What the item tower reads beside the item: `group.feature` or `group.*`."
    )
    dim: int = Field(64, ge=2, le=4096, description="Length of the vectors.")
    layers: Annotated[list[int], OneOrMore] = Field(
        default_factory=lambda: [128], description="Widths of the hidden layers."
    )
    item_embedding: int = Field(32, ge=1, le=4096, description="Length of an item's embedding, shared by both towers.")
    category_embedding: int = Field(8, ge=1, le=4096, description="Length of a category's embedding.")
    least: int = Field(5, ge=1, description="Events that an item needs for an embedding of its own.")
    similarity: Literal["cosine", "dot"] = Field("cosine", description="How two vectors are compared.")
    temperature: float = Field(0.05, gt=0, description="What cosines are divided by while training.")
    hidden_ids: Fraction = Field(
        0.0, description="Share of ids that training hides, so that new items live by their other features."
    )
    negatives: NegativesSpec = Field(default_factory=NegativesSpec, description="What a positive is held against.")
    events: Count | None = Field(
        None, description="How many of the newest events are learned from; all, where left out."
    )
    epochs: int = Field(10, ge=1, le=10_000, description="Passes over the events at most.")
    patience: int = Field(2, ge=1, description="Passes without a better recall after which training stops.")
    batch: int = Field(1024, ge=2, le=1_000_000, description="Events of a step.")
    learning_rate: float = Field(0.003, gt=0, description="Step of the optimizer.")
    recall_at: int = Field(100, ge=1, description="Recall of how many items decides which weights are kept.")
    strategy: str = Field("auto", pattern=r"^[a-z_]{1,40}$", description="A strategy of Lightning's, such as `ddp`.")
    devices: int = Field(1, ge=1, le=1024, description="Processes or devices of the strategy.")
    seed: int = Field(0, description="Seed of everything random in its training.")
