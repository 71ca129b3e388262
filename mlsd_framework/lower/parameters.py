"""Lower the values that an endpoint declares of its own requests."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlsd_framework.ir.serving import NOW, Default
from mlsd_framework.ir.sources import Column
from mlsd_framework.ir.types import FLOATS, INTEGERS, DataType
from mlsd_framework.lower.context import Context
from mlsd_framework.lower.sources import lower_column
from mlsd_framework.spec.loading import Loc
from mlsd_framework.spec.serving import ParameterSpec
from mlsd_framework.spec.sources import ColumnSpec


@dataclass(frozen=True, slots=True)
class Request:
    """What a request holds: columns of a source or of its own, and which of them says when it happened."""

    columns: tuple[Column, ...]
    source: str | None = None
    moment: str | None = None
    defaults: tuple[tuple[str, Default], ...] = ()


def lower_parameters(specs: Mapping[str, ParameterSpec], at: Loc, context: Context) -> Request | None:
    """Return the columns of a request that its endpoint declares; none at a fault."""
    columns, moments = [], []
    defaults: list[tuple[str, Default]] = []
    before = len(context.faults)
    for name, spec in specs.items():
        column = lower_column(name, ColumnSpec(**spec.model_dump(exclude={"default"})), (*at, name), context)
        if column is None:
            continue
        columns.append(column)
        if spec.default == NOW and column.type.name == "timestamp":
            moments.append(name)
            defaults.append((name, NOW))
        elif spec.default is not None:
            default = tuple(spec.default) if isinstance(spec.default, list) else spec.default
            _check(name, default, column, (*at, name, "default"), context)
            if isinstance(default, int) and column.type.name in FLOATS:
                default = float(default)
            defaults.append((name, default))
    if len(moments) > 1:
        what = f"`{moments[0]}` and `{moments[1]}` are both `now` by default, and a request happens at one moment"
        context.report("E2032", what, (*at, moments[1], "default"), help="leave one of the two out")
    if len(context.faults) > before:
        return None
    return Request(tuple(columns), moment=moments[0] if moments else None, defaults=tuple(defaults))


def _check(name: str, default: Default, column: Column, at: Loc, context: Context) -> None:
    if not _is_of(default, column.type):
        context.report(
            "E2032",
            f"`default` of the column `{name}` is `{_shown(default)}`, which is not of its type",
            at,
            expected="`now`" if column.type.name == "timestamp" else f"`{column.type.not_null()}`",
        )
    elif column.values is not None and (others := [one for one in _each(default) if one not in column.values]):
        what = f"`default` of the column `{name}` is not among its `values`"
        context.unknown("E2032", what, at, str(others[0]), column.values)
    elif isinstance(default, int | float) and not (
        (column.minimum is None or column.minimum <= default) and (column.maximum is None or default <= column.maximum)
    ):
        context.report("E2032", f"`default` of the column `{name}` is outside `min` and `max`", at)


def _each(default: Default) -> tuple[object, ...]:
    return default if isinstance(default, tuple) else (default,)


def _shown(default: Default) -> str:
    return f"[{', '.join(map(str, default))}]" if isinstance(default, tuple) else str(default)


def _is_of(default: Default, type_: DataType) -> bool:
    if isinstance(default, tuple) or type_.name == "list":
        item = type_.item
        return isinstance(default, tuple) and item is not None and all(_is_of(one, item) for one in default)
    if type_.name == "bool" or isinstance(default, bool):
        return type_.name == "bool" and isinstance(default, bool)
    if type_.name in INTEGERS:
        return isinstance(default, int)
    if type_.name in FLOATS:
        return isinstance(default, int | float)
    return type_.text and isinstance(default, str)
