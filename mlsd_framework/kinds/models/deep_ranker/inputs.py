"""The order of a deep ranker's inputs, the same in its script and its service: numbers, categories, the history."""

from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.models import Model

ITEM = "candidates.item"
"""The candidate itself by its place in the catalogue, which `sequence` reads."""

HISTORY = "candidates.history"
"""The last items of the user by their places, oldest first."""


def inputs(model: Model) -> tuple[FeatureRef, ...]:
    """Return the declared features: numbers, then categories."""
    numbers = tuple(ref for ref in model.features if not ref.type.text)
    return numbers + tuple(ref for ref in model.features if ref.type.text)


def reads_history(model: Model) -> bool:
    """Tell whether the candidate and the user's last items come behind them."""
    return model.setting("network") == "sequence"
