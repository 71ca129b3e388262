"""Conditions on the items that sources are asked for: what they may read is known of every item before any is found."""

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.entities import Entity
from mlsd_framework.ir.expressions import Column, columns
from mlsd_framework.ir.features import FeatureRef, TableGroup
from mlsd_framework.ir.retrieval import ItemCondition
from mlsd_framework.ir.serving import Value
from mlsd_framework.kinds.stages.row_names import condition
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.spec.base import ExpressionText


def item_condition(text: ExpressionText, entity: Entity, scope: StageScope, *at: str) -> ItemCondition | None:
    """Lower a condition, written at `at` below the stage; report what cannot be known of the items of an entity."""
    found = condition(text, "retrieve", scope, *at)
    if found is None:
        return None
    before = len(scope.context.faults)
    read: dict[str, FeatureRef] = {}
    asked: dict[str, Value] = {}
    request = {value.name: value for value in scope.request}
    for column in columns(found):
        if column.qualifier is None and column.name in request:
            asked[column.name] = Value(None, column.name, request[column.name].type, column.span)
        elif column.qualifier in _tables(entity, scope) and column.type.name != "list":
            read[column.path] = FeatureRef(column.qualifier, column.name, column.stored, "", column.span)
        else:
            _report(column, entity, scope)
    if not read and len(scope.context.faults) == before:
        what = f"the condition `{text}` of `retrieve` reads no column of the items"
        scope.context.report("E2070", what, (*scope.at, "retrieve", *at), expected=_expected(entity, scope))
    if len(scope.context.faults) > before:
        return None
    return ItemCondition(found, tuple(read.values()), tuple(asked.values()))


def _tables(entity: Entity, scope: StageScope) -> dict[str | None, TableGroup]:
    return {
        name: group for name, group in scope.groups.items() if isinstance(group, TableGroup) and group.key == entity.key
    }


def _report(column: Column, entity: Entity, scope: StageScope) -> None:
    if (column.qualifier or column.name) in scope.names.faulty:
        return  # reported where it is declared
    what = f"a condition of `retrieve` reads `{column.path}`, which is not known of the items before they are found"
    scope.context.faults.append(
        Diagnostic(code="E2070", what=what, span=column.span, expected=_expected(entity, scope))
    )


def _expected(entity: Entity, scope: StageScope) -> str:
    known = [
        f"{name}.{one.name}"
        for name, group in _tables(entity, scope).items()
        for one in group.features
        if one.type.name != "list"
    ]
    tables = ", ".join(known) if known else "none yet: a group of features with `columns` of a table makes some"
    values = ", ".join(value.name for value in scope.request)
    return f"columns of tables of `{entity.name}` ({tables}) and values of the request ({values})"
