"""The YAML of a CatBoost ranker."""

from typing import Literal

from pydantic import Field

from mlsd_framework.spec.base import Name
from mlsd_framework.spec.models import ModelSpec


class CatBoostRankerSpec(ModelSpec):
    """Gradient-boosted oblivious trees that order the candidates of a request."""

    kind: Literal["catboost.ranker"]
    label: Name = Field(description="The label that it learns.")
    loss: Literal["YetiRank", "PairLogit", "QuerySoftMax", "Logloss"] = Field(
        "YetiRank",
        description="What is learned: the whole order, pairs of candidates, which of a request's candidates it is, or "
        "each candidate by itself.",
    )
    iterations: int = Field(300, ge=1, le=20_000, description="Trees at most.")
    depth: int = Field(6, ge=1, le=12, description="Depth of each tree.")
    learning_rate: float = Field(0.08, gt=0, le=1, description="Step of each tree.")
    l2_leaf_reg: float = Field(3.0, ge=0, description="L2 regularisation of leaf values.")
    rsm: float = Field(1.0, gt=0, le=1, description="Share of the features that each split may choose from.")
    border_count: int = Field(254, ge=1, le=65_535, description="Borders a feature.")
    top: int = Field(10, ge=1, le=10_000, description="NDCG of how many candidates early stopping watches.")
    early_stopping: int | None = Field(
        50, ge=1, description="Trees without a better order of the validation part after which training stops."
    )
