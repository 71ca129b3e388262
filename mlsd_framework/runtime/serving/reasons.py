"""Why a decision came out as it did, in words: the rules that fired and the features that moved the score most."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Value = float | int | str | bool | None


class Reason(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One reason. A feature's `effect` is its SHAP contribution, in log-odds: positive raises the score."""

    kind: Literal["rule", "feature"]
    name: str
    text: str
    value: Value = None
    effect: float | None = None


@dataclass(frozen=True, slots=True)
class Feature:
    """A model's input as a person reads it: its column, what it is, and its unit."""

    name: str
    text: str
    unit: str = ""


def rule_reason(name: str, text: str) -> Reason:
    """Return the reason of a rule that fired."""
    return Reason(kind="rule", name=name, text=text)


def feature_reasons(
    features: Sequence[Feature], row: Sequence[Value], effects: Sequence[float] | NDArray[np.float64], top: int
) -> list[Reason]:
    """Return the `top` features by size of their contribution, largest first.

    `effects` are one SHAP value a feature, in the order of `features` and `row`; a base value after them is left out.
    """
    sizes = np.abs(np.asarray(effects, np.float64)[: len(features)])
    order = np.argsort(-sizes, kind="stable")[:top].tolist()
    return [_reason(features[i], row[i], float(effects[i])) for i in order if effects[i]]


def _reason(feature: Feature, value: Value, effect: float) -> Reason:
    direction = "raises" if effect > 0 else "lowers"
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    if missing:
        text = f"{feature.text} is unknown, which {direction} the risk"
    elif isinstance(value, bool):
        text = f"{feature.text}: {'yes' if value else 'no'}, which {direction} the risk"
    else:
        text = f"{feature.text} of {_shown(value)}{' ' + feature.unit if feature.unit else ''} {direction} the risk"
    return Reason(
        kind="feature", name=feature.name, text=text, value=None if missing else value, effect=round(effect, 4)
    )


def _shown(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:,.4g}"  # noqa: PLR2004 - beyond it a float has no units digit
    return f"{value:,}" if isinstance(value, int) else str(value)
