"""CatBoost classifiers for the compiler."""

from typing import Any

from mlsd_framework.codegen.service_code import ServiceCode
from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.models import Model, Output
from mlsd_framework.ir.serving import Stage
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import FLOAT64, DataType
from mlsd_framework.kinds.models.catboost_classifier.inputs import inputs
from mlsd_framework.kinds.models.catboost_classifier.service import write_score
from mlsd_framework.kinds.models.catboost_classifier.spec import CatBoostClassifierSpec

SETTINGS = (
    "iterations", "depth", "learning_rate", "l2_leaf_reg", "random_strength", "bagging_temperature", "rsm",
    "bootstrap_type", "subsample", "boosting_type", "border_count",
    "early_stopping", "use_best_model", "loss", "eval_metric", "refit",
)  # fmt: skip


class CatBoostClassifier:
    """Gradient-boosted trees that predict a probability."""

    name = "catboost.classifier"
    spec = CatBoostClassifierSpec
    supervised = True
    explains = True

    def accepts(self, type_: DataType) -> bool:
        """Take numbers, booleans and categories, null or not."""
        return type_.numeric or type_.name in ("bool", "category", "string", "duration")

    def outputs(self, name: str, label: Label | None) -> tuple[Output, ...]:  # noqa: ARG002 - the kind's protocol
        """Return the probability, called as the model is."""
        return (Output(name, FLOAT64, "probability"),)

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the hyperparameters."""
        return tuple((name, getattr(spec, name)) for name in SETTINGS)

    def training(self, model: Model, system: System) -> str:
        """Return the text of `training/<model>.py`."""
        from mlsd_framework.kinds.models.catboost_classifier.training import script  # noqa: PLC0415 - only `build` writes it

        return script(model, system)

    def score(self, model: Model, stage: Stage, code: ServiceCode) -> None:
        """Write what loads the trees and asks them."""
        write_score(model, stage, code)

    def inputs(self, model: Model) -> tuple[FeatureRef, ...]:
        """Return numbers, then categories."""
        return inputs(model)

    def explain(self, model: Model, code: ServiceCode) -> str:
        """Return the SHAP values of the row that was scored."""
        trees = code.attribute(f"trees of {model.name}", model.name)
        return f"{trees}.explain({code.name(f'row of the model {model.name}', f'{model.name}_row')}).values"
