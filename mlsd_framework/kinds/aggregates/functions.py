"""The built-in aggregates: what each takes, and the type of its result, as the runtime computes it.

Over an empty window counts and rates are 0, lists are empty and all else is null, the sum too.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from mlsd_framework.ir.types import FLOAT64, INT64, INTEGERS, DataType
from mlsd_framework.lower.kinds import AggregateParameter


@dataclass(frozen=True, slots=True)
class BuiltinAggregate:
    """One aggregate; `typed` returns the result's type for a value's type, or none."""

    name: str
    takes: str
    typed: Callable[[DataType | None], DataType | None]
    parameter: AggregateParameter | None = None

    def result(self, value: DataType | None) -> DataType | None:
        """Return the type of its result, or none where it does not take such a value."""
        return self.typed(value)


def _number(value: DataType | None) -> bool:
    return value is not None and (value.numeric or value.name == "bool")


def _holdable(value: DataType | None) -> bool:
    """Say whether a stored row can hold such a value."""
    return value is not None and (_number(value) or value.text or value.name == "timestamp")


def _count(value: DataType | None) -> DataType | None:
    return INT64 if value is None or _holdable(value) else None


def _sum(value: DataType | None) -> DataType | None:
    if value is None or not _number(value):
        return None
    whole = value.name in INTEGERS or value.name == "bool"
    return DataType("int64" if whole else "float64", nullable=True, unit=value.unit)


def _mean(value: DataType | None) -> DataType | None:
    return DataType("float64", nullable=True, unit=value.unit) if value is not None and _number(value) else None


def _one(value: DataType | None) -> DataType | None:
    """Type one of the values: widened, as expressions work with it."""
    return value.widened().or_null() if value is not None and _holdable(value) else None


def _distinct(value: DataType | None) -> DataType | None:
    return INT64 if _holdable(value) else None


def _elapsed(value: DataType | None) -> DataType | None:
    return DataType("float64", nullable=True, unit="s") if value is None or _holdable(value) else None


def _rate(value: DataType | None) -> DataType | None:
    return replace(FLOAT64, unit="1/s") if value is None or _holdable(value) else None


def _list(value: DataType | None) -> DataType | None:
    return DataType("list", item=value.widened().not_null()) if value is not None and _holdable(value) else None


_VALUE = "a number, a bool, a text or a moment"

AGGREGATES = (
    BuiltinAggregate("count", f"nothing, as in `count()`, or {_VALUE}", _count),
    BuiltinAggregate("sum", "a number or a bool, as in `sum(amount)`", _sum),
    BuiltinAggregate("mean", "a number or a bool, as in `mean(amount)`", _mean),
    BuiltinAggregate("std", "a number or a bool, as in `std(amount)`", _mean),
    BuiltinAggregate("min", f"{_VALUE}, as in `min(amount)`", _one),
    BuiltinAggregate("max", f"{_VALUE}, as in `max(amount)`", _one),
    BuiltinAggregate("first", f"{_VALUE}, as in `first(country)`", _one),
    BuiltinAggregate("last", f"{_VALUE}, as in `last(country)`", _one),
    BuiltinAggregate(
        "last_n", f"{_VALUE}, and how many, as in `last_n(merchant_id, 10)`", _list, AggregateParameter("n")
    ),
    BuiltinAggregate(
        "count_distinct",
        f"{_VALUE}, as in `count_distinct(merchant_id)` or `count_distinct(merchant_id, exact: 500)`",
        _distinct,
        AggregateParameter("exact", required=False),
    ),
    BuiltinAggregate("time_since_last", f"nothing, as in `time_since_last()`, or {_VALUE}", _elapsed),
    BuiltinAggregate("rate", f"nothing, as in `rate()`, or {_VALUE}", _rate),
    BuiltinAggregate(
        "ewma",
        "a number or a bool, and its half-life, as in `ewma(amount, half_life: 3d)`",
        _mean,
        AggregateParameter("half_life"),
    ),
    BuiltinAggregate(
        "decayed_sum",
        "a number or a bool, and its half-life, as in `decayed_sum(1, half_life: 3d)`",
        _mean,
        AggregateParameter("half_life"),
    ),
    BuiltinAggregate("top_k", f"{_VALUE}, and how many, as in `top_k(category, 3)`", _list, AggregateParameter("n")),
)
