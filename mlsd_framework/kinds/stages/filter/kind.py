"""`filter` for the compiler: what its conditions use in, fewer candidates out."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mlsd_framework.codegen.expressions_polars import dtype_of, to_polars
from mlsd_framework.codegen.python import Call, Item, Mapping, Raw, assigned, emit
from mlsd_framework.codegen.row_code import RowCode
from mlsd_framework.codegen.service_code import RUNTIME, ServiceCode
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.ir.retrieval import CANDIDATES
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import BOOL
from mlsd_framework.kinds.retrievers.parts import length, microseconds
from mlsd_framework.kinds.stages.filter.spec import FilterSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds

FILTERS = f"{RUNTIME}.reranking.filters"


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """Conditions, the values that they read, and how old an item's last event in the history has to be."""

    keep: tuple[Expression, ...]
    reads: tuple[Value, ...]
    met_within: timedelta | None


class Filter:
    """Keep the candidates for which conditions hold."""

    name = "filter"
    spec = FilterSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Lower the conditions, which have to be true or false."""
        if not scope.retrieves("filter"):
            return None
        found = [scope.expression(text, "filter", "keep", index) for index, text in enumerate(spec.keep)]
        keep = tuple(one for one in found if one is not None)
        if len(keep) < len(found):
            return None
        for index, one in enumerate(keep):
            if one.type.name != BOOL.name:
                at = (*scope.at, "filter", "keep", index)
                scope.context.report("E2053", f"a condition of `filter` is of type `{one.type}`", at, expected="`bool`")
                return None
        if not keep and spec.met_within is None:
            what = "`filter` has neither conditions nor `met_within`"
            scope.context.report(
                "E2063", what, (*scope.at, "filter"), expected="`- filter: [product.in_stock]`, such as this"
            )
            return None
        reads = scope.reads(*keep, rows=CANDIDATES)
        return StageDraft(reads, (), FilterSettings(keep, reads, spec.met_within))

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:
        """Write the lines."""
        code.run(stage, self.rows(stage, system, kinds, code))

    def rows(self, stage: Stage, system: System, kinds: ModelKinds, code: RowCode) -> list[str]:  # noqa: ARG002 - the extension point's signature
        """Return the lines: one mask a reason, then the rows that no mask takes."""
        settings = stage.settings
        if not isinstance(settings, FilterSettings):
            return []
        masks: list[tuple[Item, Item]] = []
        if settings.met_within is not None:
            code.imports.add(FILTERS, "recently_interacted")
            within = length(microseconds(settings.met_within), code.imports)
            masks.append(("met", Call("recently_interacted", (Raw("candidates"), Raw(code.history), within))))
        lines: list[str] = []
        if settings.keep:
            code.imports.add(f"{RUNTIME}.retrieval.frames", "frame_of", "holds")
            code.imports.add("polars as pl")
            columns = Mapping(
                tuple((value.dotted, (Raw(code.value(value)), Raw(dtype_of(value.type)))) for value in settings.reads)
            )
            rows = code.name(f"rows of {stage.name}", "rows")
            lines += assigned(rows, Call("frame_of", (Raw("candidates"), columns)), 3)
            for number, one in enumerate(settings.keep, 1):
                source = to_polars(one, lambda column: column.path)
                code.imports.add_lines(source.imports)
                masks.append((f"condition {number}", Raw(f"~holds({rows}, {source.text})")))
        code.imports.add(FILTERS, "remove")
        removed = emit(Call("remove", (Raw("candidates"), Mapping(tuple(masks)))), 3, 24)
        return [*lines, f"candidates = {removed}.candidates".replace(f"\n{' ' * 12}", "\n")]
