"""Choosing what to do with a probability: thresholds that lose the least money, or stated ones.

The cost-based decision looks at r = p x fn / (p x fn + (1 - p) x fp), the share of the expected loss that lies in doing
nothing, so that the same probability stops a large payment and lets a small one pass. With true probabilities the best
threshold of two actions is 1/2; `threshold_search` finds those of more, and when to believe the labels instead.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.training import threshold_search
from mlsd_framework.runtime.training.threshold_search import Rule

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Costs:
    """Money: of a positive let pass, of a negative stopped, of a case reviewed. Each a number or one a row."""

    false_negative: ArrayLike
    false_positive: ArrayLike
    review: ArrayLike = 0.0

    def of_actions(self, label: ArrayLike, actions: int) -> FloatArray:
        """Return the cost (actions, rows) of each: the mildest lets pass, the last stops, those between review.

        A review is taken to find the truth.
        """
        positive = np.asarray(label, np.float64)
        passed = positive * _column(self.false_negative, len(positive), "false negative")
        stopped = (1 - positive) * _column(self.false_positive, len(positive), "false positive")
        reviewed = _column(self.review, len(positive), "review")
        return np.stack([passed, *[reviewed] * (actions - 2), stopped])

    def take(self, rows: NDArray[np.generic]) -> "Costs":
        """Return the costs of these rows (numbers or a mask)."""
        taken = [
            v if np.ndim(v) == 0 else np.asarray(v)[rows]
            for v in (self.false_negative, self.false_positive, self.review)
        ]
        return Costs(*taken)

    def risk(self, probability: ArrayLike) -> FloatArray:
        """Return r of each row; 0 where neither error costs anything."""
        p = np.asarray(probability, np.float64)
        passed = p * _column(self.false_negative, len(p), "false negative")
        both = passed + (1 - p) * _column(self.false_positive, len(p), "false positive")
        return np.divide(passed, both, out=np.zeros_like(p), where=both > 0)


@dataclass(frozen=True, slots=True)
class Curve:
    """Total cost of the validation part if all with r >= `threshold` got the last action and the rest the first."""

    threshold: FloatArray
    cost: FloatArray


@dataclass(frozen=True, slots=True)
class Decision:
    """How one `decide` stage turns a score into an action; `thresholds[i]` is where `actions[i + 1]` begins."""

    kind: Literal["cost", "score"]
    score: str
    actions: tuple[str, ...]
    thresholds: tuple[float, ...]
    chosen_on: str | None = None
    cost: float | None = None
    rule: Rule | None = None
    curve: Curve | None = field(default=None, compare=False)

    def actions_of(self, probability: ArrayLike, costs: Costs | None = None) -> IntArray:
        """Return the number of the action of each row; `costs` where the decision is by cost."""
        if self.kind == "score":
            value = np.asarray(probability, np.float64)
        elif costs is None:
            raise ValueError("a decision by cost needs the costs")
        else:
            value = costs.risk(probability)
        return np.searchsorted(np.asarray(self.thresholds), value, side="right").astype(np.int64)

    def as_json(self) -> dict[str, object]:
        """Return the entry of `thresholds.json`."""
        return {
            "kind": self.kind,
            "score": self.score,
            "actions": list(self.actions),
            "thresholds": dict(zip(self.actions[1:], self.thresholds, strict=True)),
            "chosen_on": self.chosen_on,
            "cost": self.cost,
            "rule": self.rule,
        }


def by_cost(
    *,
    score: str,
    actions: Sequence[str],
    probability: ArrayLike,
    label: ArrayLike,
    costs: Costs,
    chosen_on: str = "validate",
) -> Decision:
    """Choose the thresholds of `actions` (mildest first) that should lose the least money on rows like these.

    They are those that lose least if the probabilities are right, and those that lost least on the labels where the
    labels say clearly that the probabilities are not (`rule`). `cost` is what the chosen ones lost on these rows.
    """
    _check_actions(actions)
    wanted = np.asarray(probability, np.float64)
    per_label = np.stack([costs.of_actions(np.full(len(wanted), truth), len(actions)) for truth in (0.0, 1.0)])
    found = threshold_search.search(costs.risk(wanted), wanted, np.asarray(label, np.float64), per_label)
    curve = Curve(found.curve_at, found.curve_cost)
    return Decision("cost", score, tuple(actions), found.thresholds, chosen_on, found.cost, found.rule, curve)


def by_score(*, score: str, actions: Sequence[str], thresholds: Mapping[str, float]) -> Decision:
    """Take stated thresholds on the probability; every action but the mildest has one, rising."""
    _check_actions(actions)
    values = [thresholds.get(action, float("nan")) for action in actions[1:]]
    rising = all(low <= high for low, high in pairwise(values))
    if len(thresholds) != len(values) or np.isnan(values).any() or not rising:
        raise RunError.of(
            "E6341",
            f"the thresholds {dict(thresholds)} do not fit the actions {', '.join(f'`{a}`' for a in actions)}",
            expected="a threshold for every action but the first, rising in the order of the actions",
        )
    return Decision("score", score, tuple(actions), tuple(values))


def write(path: Path, decisions: Mapping[str, Decision]) -> None:
    """Write `thresholds.json`, one entry a `decide` stage."""
    content = {name: decision.as_json() for name, decision in decisions.items()}
    atomic.write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def _check_actions(actions: Sequence[str]) -> None:
    if len(actions) < 2 or len(set(actions)) != len(actions):  # noqa: PLR2004 - to act or not to
        raise RunError.of(
            "E6341", f"the actions are {list(actions)}", expected="two or more different ones, mildest first"
        )


def _column(value: ArrayLike, rows: int, name: str) -> FloatArray:
    column = np.broadcast_to(np.asarray(value, np.float64), (rows,))
    wrong = ~(np.isfinite(column) & (column >= 0))
    if wrong.any():
        rows_wrong, first = int(wrong.sum()), int(wrong.argmax())
        raise RunError.of(
            "E6340",
            f"the cost of a {name} is below zero or null in {rows_wrong:,} rows, first in row {first:,}",
            expected="an amount of money from 0 up in each row",
            help="state the cost as an expression that is never null, such as `coalesce(greatest(amount, 0), 0)`",
        )
    return column
