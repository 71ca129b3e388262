"""The order of a CatBoost model's inputs, the same in its script, its service and its explanations."""

from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.models import Model


def numbers(model: Model) -> tuple[FeatureRef, ...]:
    """Return the features that CatBoost takes as numbers."""
    return tuple(ref for ref in model.features if not ref.type.text)


def categories(model: Model) -> tuple[FeatureRef, ...]:
    """Return the features that CatBoost takes as categories."""
    return tuple(ref for ref in model.features if ref.type.text)


def inputs(model: Model) -> tuple[FeatureRef, ...]:
    """Return all features: numbers, then categories."""
    return numbers(model) + categories(model)
