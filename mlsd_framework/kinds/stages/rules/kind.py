"""`rules` for the compiler: whatever the conditions use in, the first rule that fires out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.python import Call, Raw, assigned, emit
from mlsd_framework.codegen.service_code import SERVING, ServiceCode
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import STRING
from mlsd_framework.kinds.stages.rules.spec import RulesSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, typed."""

    name: str
    when: Expression
    action: str
    priority: int
    reason: str
    span: Span


@dataclass(frozen=True, slots=True)
class RulesSettings:
    """The rules in the order that they are told: the highest priority first, then as written."""

    rules: tuple[Rule, ...]


class Rules:
    """Check named expressions."""

    name = "rules"
    spec = RulesSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Type the conditions."""
        found: list[Rule] = []
        for index, rule in enumerate(spec.rules):
            at = ("rules", "rules", index)
            if rule.name in {one.name for one in found}:
                scope.context.report("E2010", f"two rules are called `{rule.name}`", (*scope.at, *at, "name"))
            when = scope.expression(rule.when, *at, "when")
            if when is None:
                continue
            if when.type.name != "bool":
                what = f"the condition of the rule `{rule.name}` is of type `{when.type}`"
                scope.context.report("E2045", what, (*scope.at, *at, "when"), expected="`bool`")
                continue
            reason = rule.reason or f"the rule {rule.name.replace('_', ' ')} applies"
            found.append(
                Rule(
                    rule.name, when, rule.action, rule.priority, reason, scope.context.span((*scope.at, *at, "action"))
                )
            )
        ordered = tuple(sorted(found, key=lambda one: -one.priority))
        writes = (Value(None, f"{spec.name or spec.stage}_action", STRING.or_null()),)
        return StageDraft(scope.reads(*(one.when for one in ordered)), writes, RulesSettings(ordered))

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:  # noqa: ARG002 - the extension point's signature
        """Write one line a rule; those that hold are kept in the order that they are tried."""
        settings = stage.settings
        if not isinstance(settings, RulesSettings):
            return
        code.imports.add(f"{SERVING}.decision", "Rule", "fired")
        tried = []
        for rule in settings.rules:
            name = code.own(f"rule {stage.name}.{rule.name}", f"{rule.name}_rule")
            named = (("priority", rule.priority),) if rule.priority else ()
            code.declare(
                name,
                f"{name} = {emit(Call('Rule', (rule.name, rule.action, rule.reason), named), 0, len(name) + 3)}",
                rule.span,
            )
            tried.append((Raw(name), Raw(code.expression(rule.when))))
        held = code.name(f"rules held of {stage.name}", f"{stage.name}_held")
        code.default(stage, **{held: "fired()"})
        code.run(stage, assigned(held, Call("fired", tuple(tried)), 3))
        code.values[stage.writes[0].name] = held
