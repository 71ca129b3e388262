"""`decide` for the compiler: a probability, costs and rules in, an action out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.decisions import decision_name
from mlsd_framework.codegen.python import Call, Item, Raw, assigned, emit, literal
from mlsd_framework.codegen.service_code import SERVING, ServiceCode
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import STRING
from mlsd_framework.kinds.stages.decide.spec import DecideSpec
from mlsd_framework.kinds.stages.rules.kind import RulesSettings
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds


@dataclass(frozen=True, slots=True)
class Cost:
    """What each kind of error costs, in `unit`."""

    false_negative: Expression
    false_positive: Expression
    review: float | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class DecideSettings:
    """The model that decides, the actions from the mildest to the hardest, and how thresholds are found.

    `thresholds` holds one probability for each action but the first; none where costs find them.
    """

    model: Model
    actions: tuple[str, ...]
    cost: Cost | None
    thresholds: tuple[float, ...] | None
    rules: tuple[str, ...]


class Decide:
    """Choose one of the actions."""

    name = "decide"
    spec = DecideSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Find the model, type the costs, and hold the rules' actions against the declared ones."""
        model = scope.model(spec.score, "decide", "score")
        cost = self._cost(spec, scope) if spec.cost is not None else None
        thresholds = self._thresholds(spec, scope) if spec.thresholds is not None else None
        rules = tuple(stage for stage in scope.before if isinstance(stage.settings, RulesSettings))
        self._actions(spec, rules, scope)
        if len(set(spec.actions)) < len(spec.actions):
            at = (*scope.at, "decide", "actions")
            scope.context.report("E2047", "`decide` names an action twice", at, key=True, expected="different actions")
            return None
        if model is None or (cost is None and thresholds is None):
            return None
        output = model.outputs[0]
        if output.role != "probability":
            what = f"`decide` needs a probability, and `models.{model.name}` gives a {output.role}"
            scope.context.report("E2046", what, (*scope.at, "decide", "score"), expected="a classifier")
            return None
        span = scope.context.span(scope.at)
        reads = [
            Value(None, output.name, output.type, span),
            *(Value(None, stage.writes[0].name, STRING.or_null(), span) for stage in rules),
        ]
        reads += scope.reads(cost.false_negative, cost.false_positive) if cost is not None else ()
        settings = DecideSettings(
            model, tuple(spec.actions), cost, thresholds, tuple(stage.writes[0].name for stage in rules)
        )
        return StageDraft(tuple(reads), (Value(None, "action", STRING),), settings)

    def _cost(self, spec: Any, scope: StageScope) -> Cost | None:
        found = {}
        for key in ("false_negative", "false_positive"):
            expression = scope.expression(getattr(spec.cost, key), "decide", "cost", key)
            if expression is None:
                return None
            if not expression.type.numeric:
                what = f"the cost of a {key.replace('_', ' ')} is of type `{expression.type}`"
                scope.context.report("E2045", what, (*scope.at, "decide", "cost", key), expected="a number")
                return None
            found[key] = expression
        units = {one.type.unit for one in found.values() if one.type.unit is not None}
        if len(units) > 1:
            what = f"the costs are in different units: {', '.join(f'`{unit}`' for unit in sorted(units))}"
            scope.context.report("E2038", what, (*scope.at, "decide", "cost"), key=True, expected="one unit of money")
            return None
        if spec.cost.review is None and len(spec.actions) > 2:  # noqa: PLR2004 - approve and decline need no review
            what = f"`decide` has {len(spec.actions)} actions and no cost of a review"
            scope.context.report(
                "E2047", what, (*scope.at, "decide", "cost"), key=True, expected="`review:` with its cost"
            )
            return None
        if len(spec.actions) > 3:  # noqa: PLR2004 - mild, review, hard
            scope.context.report(
                "E2047",
                "`decide` with `cost` has more than three actions",
                (*scope.at, "decide", "actions"),
                expected="two or three actions, or `thresholds`",
            )
            return None
        return Cost(found["false_negative"], found["false_positive"], spec.cost.review, next(iter(units), None))

    def _thresholds(self, spec: Any, scope: StageScope) -> tuple[float, ...] | None:
        at = (*scope.at, "decide", "thresholds")
        wanted = list(spec.actions[1:])
        if sorted(spec.thresholds) != sorted(wanted):
            scope.context.report(
                "E2047",
                "`thresholds` does not name every action but the first",
                at,
                key=True,
                expected=f"a number for each of: {', '.join(wanted)}",
            )
            return None
        values = tuple(spec.thresholds[action] for action in wanted)
        if any(not 0 <= value <= 1 for value in values) or list(values) != sorted(values):
            scope.context.report(
                "E2047",
                "the thresholds do not rise from action to action within 0 and 1",
                at,
                key=True,
                expected="rising probabilities, in the order of `actions`",
            )
            return None
        return values

    def _actions(self, spec: Any, rules: tuple[Stage, ...], scope: StageScope) -> None:
        for stage in rules:
            settings = stage.settings
            for rule in settings.rules if isinstance(settings, RulesSettings) else ():
                if rule.action not in spec.actions:
                    report_action(scope, rule.action, f"the rule `{rule.name}`", tuple(spec.actions), rule.span)

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:  # noqa: ARG002 - the extension point's signature
        """Write the risk and the action; thresholds come from the bundle."""
        settings = stage.settings
        if not isinstance(settings, DecideSettings):
            return
        code.imports.add(f"{SERVING}.decision", "Thresholds")
        actions = code.own(f"actions of {stage.name}", f"{stage.name}_actions")
        code.declare(actions, f"{actions} = {emit(settings.actions, 0, len(actions) + 3)}", stage.span)
        chosen = Call("Thresholds.load", (Raw("bundle"), decision_name(code.endpoint, stage, system), Raw(actions)))
        thresholds = code.attribute(f"thresholds of {stage.name}", stage.name)
        code.init[thresholds] = "\n".join(assigned(thresholds, chosen, 2))
        score = code.values[settings.model.outputs[0].name]
        risk: Item = Raw(score)
        if settings.cost is not None:
            code.imports.add(f"{SERVING}.decision", "expected_cost_ratio")
            costs = [code.expression(one) for one in (settings.cost.false_negative, settings.cost.false_positive)]
            risk = Call("expected_cost_ratio", (Raw(score), *(Raw(one) for one in costs)))
        held = [code.values[name] for name in settings.rules]
        rules = f"[{', '.join(f'*{name}' for name in held)}]" if len(held) > 1 else held[0] if held else "[]"
        code.default(stage, risk="None", action=literal(settings.actions[min(1, len(settings.actions) - 1)]))
        code.run(stage, [*assigned("risk", risk, 3), f"action = {thresholds}.decide(risk, {rules})"])
        code.values |= {"action": "action", "risk": "risk", "score": score, "rules": rules}


def report_action(scope: StageScope, action: str, who: str, actions: tuple[str, ...], place: Span) -> None:
    """Report an action that `decide` does not declare."""
    what = f"{who} takes the action `{action}`, which `decide` does not declare"
    scope.context.unknown("E2044", what, scope.at, action, actions, place=place)
