"""From a calibrated probability and the rules that fired to one action.

Thresholds by score or by cost, and who overrules whom.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, overload

import msgspec

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.bundle import Bundle
from mlsd_framework.runtime.serving.reasons import Reason


class Decision(msgspec.Struct, kw_only=True):
    """The answer to a decision request.

    `score` is the calibrated probability, None where scoring failed; `risk` is what the thresholds were held against.
    `degraded` names the stages that the answer had to do without.
    """

    request_id: str
    action: str
    score: float | None
    risk: float | None
    reasons: list[Reason]
    degraded: list[str]
    version: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: where its condition is true, `action` is called for. Null counts as not true.

    The model speaks at priority 0. The highest priority decides; at the same priority the severest action does.
    """

    name: str
    action: str
    reason: str
    priority: int = 0


def fired(*tried: tuple[Rule, bool | None]) -> list[Rule]:
    """Return the rules whose condition is true, in their order."""
    return [rule for rule, holds in tried if holds]


@overload
def expected_cost_ratio(probability: float, false_negative: float | None, false_positive: float | None) -> float: ...
@overload
def expected_cost_ratio(
    probability: float | None, false_negative: float | None, false_positive: float | None
) -> float | None: ...
def expected_cost_ratio(
    probability: float | None, false_negative: float | None, false_positive: float | None
) -> float | None:
    """Return the share of the cost of letting pass in the sum of both: p·fn / (p·fn + (1-p)·fp), 0 where both are nil.

    Both costs are in the same money and count as 0 when negative or null; above one half, stopping is the cheaper
    mistake. Without a probability there is no risk either.
    """
    if probability is None:
        return None
    pass_cost = probability * max(false_negative or 0.0, 0.0)
    stop_cost = (1.0 - probability) * max(false_positive or 0.0, 0.0)
    total = pass_cost + stop_cost
    return pass_cost / total if total > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which risk on each action holds.

    `actions` go from the mildest, which needs no threshold, to the severest.
    """

    kind: Literal["cost", "score"]
    actions: tuple[str, ...]
    values: tuple[float, ...]

    @classmethod
    def load(cls, bundle: Bundle, name: str, actions: Sequence[str]) -> "Thresholds":
        """Return the thresholds that the bundle holds for the decision `name` (E6411)."""
        chosen = bundle.threshold_set(name)
        return cls.of(name, chosen.kind, actions, chosen.thresholds)

    @classmethod
    def of(cls, name: str, kind: str, actions: Sequence[str], values: dict[str, float]) -> "Thresholds":
        """Check the thresholds that the bundle holds under `name` against the `actions` of the service (E6411)."""
        if kind not in ("cost", "score"):
            raise RunError.of("E6411", f"thresholds of `{name}` have kind `{kind}`", expected="`cost` or `score`")
        missing = [action for action in actions[1:] if action not in values]
        unknown = [action for action in values if action not in actions]
        if missing or unknown:
            raise RunError.of(
                "E6411",
                f"thresholds of `{name}` do not fit its actions: " + ", ".join(f"`{a}`" for a in missing + unknown),
                expected="a threshold for each of " + ", ".join(f"`{a}`" for a in actions[1:]),
                help="evaluate again, so that the bundle's thresholds come from this spec",
            )
        chosen = tuple(values[action] for action in actions[1:])
        if list(chosen) != sorted(chosen):
            raise RunError.of(
                "E6411",
                f"thresholds of `{name}` fall: {chosen}",
                expected="rising with the severity of the action",
            )
        return cls("cost" if kind == "cost" else "score", tuple(actions), chosen)

    def action(self, risk: float) -> str:
        """Return the severest action whose threshold `risk` reaches."""
        chosen = self.actions[0]
        for action, threshold in zip(self.actions[1:], self.values, strict=True):
            if risk >= threshold:
                chosen = action
        return chosen

    def decide(self, risk: float | None, rules: Sequence[Rule], fallback: str | None = None) -> str:
        """Return the action of the model and the fired `rules` together.

        Without a `risk` (the score failed) `fallback` speaks in the model's place, else the mildest action but one:
        that a person looks at it.
        """
        action = self.action(risk) if risk is not None else (fallback or self.cautious)
        priority = 0
        for rule in rules:
            if rule.priority > priority:
                action, priority = rule.action, rule.priority
            elif rule.priority == priority and self.actions.index(rule.action) > self.actions.index(action):
                action = rule.action
        return action

    @property
    def cautious(self) -> str:
        """The action when nothing is known: the mildest but one, that a person looks at it."""
        return self.actions[min(1, len(self.actions) - 1)]
