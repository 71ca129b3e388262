"""Saving a CatBoost model so that two trainings of the same data give the same bytes.

CatBoost writes the moment of training and a random id into the file. With a fixed seed and a fixed number of threads,
emptying these two makes the file a function of the data and the parameters.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mlsd_framework.runtime import atomic

if TYPE_CHECKING:
    from catboost import CatBoost

_CHANGING = ("train_finish_time", "model_guid")


def save(model: "CatBoost", path: Path) -> None:
    """Write `model` as `.cbm` without the moment of training and the random id."""
    metadata = model.get_metadata()
    for key in _CHANGING:
        metadata[key] = ""
    with atomic.replacing(path) as part:
        model.save_model(str(part), format="cbm")


def importances(model: "CatBoost") -> dict[str, float]:
    """Return the share of each feature in the changes of the prediction, percent, largest first."""
    # Named, because CatBoost takes another kind for models that rank, which needs the data.
    found = model.get_feature_importance(type="PredictionValuesChange")
    shares = zip(model.feature_names_, found.tolist(), strict=True)
    return dict(sorted(shares, key=lambda share: (-share[1], share[0])))
