"""The YAML of a CatBoost classifier."""

from typing import Literal

from pydantic import Field

from mlsd_framework.spec.base import Name
from mlsd_framework.spec.models import ImbalanceSpec, ModelSpec, TuningSpec


class CatBoostClassifierSpec(ModelSpec):
    """Gradient-boosted oblivious trees that predict a probability."""

    kind: Literal["catboost.classifier"]
    label: Name = Field(description="The label that it learns.")
    iterations: int = Field(500, ge=1, le=20_000, description="Trees at most.")
    depth: int = Field(6, ge=1, le=12, description="Depth of each tree.")
    learning_rate: float | None = Field(
        None, gt=0, le=1, description="Step of each tree; CatBoost's own choice where left out."
    )
    l2_leaf_reg: float = Field(3.0, ge=0, description="L2 regularisation of leaf values.")
    random_strength: float = Field(1.0, ge=0, description="Randomness in scoring splits.")
    bagging_temperature: float | None = Field(None, ge=0, description="Strength of the Bayesian bootstrap.")
    rsm: float = Field(1.0, gt=0, le=1, description="Share of the features that each split may choose from.")
    bootstrap_type: Literal["Bayesian", "Bernoulli", "MVS", "No"] | None = Field(
        None, description="How rows are drawn for each tree; CatBoost's own choice where left out."
    )
    subsample: float | None = Field(
        None, gt=0, le=1, description="Share of the rows that each tree is grown on, with `Bernoulli` or `MVS`."
    )
    boosting_type: Literal["Plain", "Ordered"] | None = Field(
        None, description="The boosting scheme; CatBoost's own choice where left out."
    )
    border_count: int = Field(254, ge=1, le=65_535, description="Borders a feature.")
    early_stopping: int | None = Field(
        None, ge=1, description="Trees without a better validation score after which training stops."
    )
    use_best_model: bool | None = Field(
        None,
        description="Whether trees after the best validation score are dropped; "
        "left out, they are, given a validation part.",
    )
    loss: Literal["Logloss", "CrossEntropy"] = Field("Logloss", description="What is minimised.")
    eval_metric: Literal["Logloss", "AUC", "PRAUC"] = Field("Logloss", description="What early stopping watches.")
    refit: bool = Field(
        default=False,
        description="Whether the served model learns from the validation part too, "
        "once it has set trees, calibration and thresholds.",
    )
    imbalance: ImbalanceSpec = Field(default_factory=ImbalanceSpec, description="How a rare class is weighed.")
    calibration: Literal["none", "isotonic", "sigmoid"] = Field(
        "none", description="How scores become probabilities, fitted on the validation part."
    )
    tune: TuningSpec | None = Field(
        None, description="A search over depth, learning rate, regularisation and randomness."
    )
