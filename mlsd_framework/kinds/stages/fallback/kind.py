"""`fallback` for the compiler: the request alone in, an action out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.python import Raw, condition, literal
from mlsd_framework.codegen.service_code import ServiceCode, pointer
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import STRING
from mlsd_framework.kinds.stages.decide.kind import DecideSettings, report_action
from mlsd_framework.kinds.stages.fallback.spec import FallbackSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds


@dataclass(frozen=True, slots=True)
class FallbackCase:
    """One case, typed."""

    when: Expression
    action: str


@dataclass(frozen=True, slots=True)
class FallbackSettings:
    """Cases in order, then the action where none holds."""

    cases: tuple[FallbackCase, ...]
    action: str


class Fallback:
    """Answer when a stage cannot."""

    name = "fallback"
    spec = FallbackSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Type the cases over the request alone, and hold the actions against the declared ones."""
        scope.names.types = {(None, value.name): value.type for value in scope.request}
        cases: list[FallbackCase] = []
        for index, case in enumerate(spec.when):
            when = scope.expression(case.when, "fallback", "when", index, "when")
            if when is None:
                continue
            if when.type.name != "bool":
                at = (*scope.at, "fallback", "when", index, "when")
                scope.context.report("E2045", f"a case of `fallback` is of type `{when.type}`", at, expected="`bool`")
                continue
            cases.append(FallbackCase(when, case.action))
        actions = [stage.settings.actions for stage in scope.before if isinstance(stage.settings, DecideSettings)]
        if not actions and "decide" in scope.faulty:
            return None  # it has been reported
        if not actions:
            scope.context.report(
                "E2047", "`fallback` stands without a `decide` before it", scope.at, expected="`- decide: …` before it"
            )
            return None
        named = [(case.action, ("fallback", "when", index, "action")) for index, case in enumerate(spec.when)]
        for action, below in [(spec.action, ("fallback", "action")), *named]:
            if action not in actions[-1]:
                report_action(scope, action, "`fallback`", actions[-1], scope.context.span((*scope.at, *below)))
        span = scope.context.span(scope.at)
        reads = tuple(Value(one.group, one.name, one.type, span) for one in scope.reads(*(case.when for case in cases)))
        return StageDraft(reads, (Value(None, "fallback_action", STRING),), FallbackSettings(tuple(cases), spec.action))

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:  # noqa: ARG002 - the extension point's signature
        """Write the answer of a request whose pipeline fell back: cases in order, then the action."""
        settings = stage.settings
        if not isinstance(settings, FallbackSettings):
            return
        code.fallback = ["", pointer(stage.span), f"action = {literal(settings.action)}"]
        for index, case in enumerate(settings.cases):
            code.fallback += condition(f"{'el' if index else ''}if", Raw(code.expression(case.when)), 2)
            code.fallback.append(f"    action = {literal(case.action)}")
