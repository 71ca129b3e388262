"""CatBoost classifiers for the compiler."""

from typing import Any

from mlsd_framework.ir.label import Label
from mlsd_framework.ir.models import Output, SettingValue
from mlsd_framework.ir.types import FLOAT64, DataType
from mlsd_framework.kinds.models.catboost_classifier.spec import CatBoostClassifierSpec

SETTINGS = (
    "iterations", "depth", "learning_rate", "l2_leaf_reg", "random_strength", "bagging_temperature", "border_count",
    "early_stopping", "loss", "eval_metric",
)  # fmt: skip


class CatBoostClassifier:
    """Gradient-boosted trees that predict a probability."""

    name = "catboost.classifier"
    spec = CatBoostClassifierSpec
    supervised = True

    def accepts(self, type_: DataType) -> bool:
        """Take numbers, booleans and categories, null or not."""
        return type_.numeric or type_.name in ("bool", "category", "string", "duration")

    def outputs(self, name: str, label: Label | None) -> tuple[Output, ...]:  # noqa: ARG002 - the kind's protocol
        """Return the probability, called as the model is."""
        return (Output(name, FLOAT64, "probability"),)

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the hyperparameters."""
        return tuple((name, getattr(spec, name)) for name in SETTINGS)
