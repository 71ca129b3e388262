"""The built-in aggregates: what each takes, and the type of its result."""

from collections.abc import Callable
from dataclasses import dataclass

from mlsd_framework.ir.types import FLOATS, INT64, DataType


@dataclass(frozen=True, slots=True)
class BuiltinAggregate:
    """One aggregate; `typed` returns the result's type for a value's type, or none."""

    name: str
    takes: str
    typed: Callable[[DataType | None], DataType | None]

    def result(self, value: DataType | None) -> DataType | None:
        """Return the type of its result, or none where it does not take such a value."""
        return self.typed(value)


def _count(value: DataType | None) -> DataType | None:
    return INT64 if value is None else None


def _sum(value: DataType | None) -> DataType | None:
    if value is None or not (value.numeric or value.name == "bool"):
        return None
    return DataType("float64" if value.name in FLOATS else "int64", nullable=True, unit=value.unit)


def _number(value: DataType | None) -> DataType | None:
    if value is None or not (value.numeric or value.name == "bool"):
        return None
    return DataType("float64", nullable=True, unit=value.unit)


def _same(value: DataType | None) -> DataType | None:
    if value is None or not (value.numeric or value.name == "bool"):
        return None
    return value.widened().or_null()


def _distinct(value: DataType | None) -> DataType | None:
    return INT64 if value is not None and (value.numeric or value.text or value.name == "bool") else None


def _elapsed(value: DataType | None) -> DataType | None:
    return DataType("float64", nullable=True, unit="s") if value is None else None


AGGREGATES = (
    BuiltinAggregate("count", "nothing, as in `count()`", _count),
    BuiltinAggregate("sum", "a number, as in `sum(amount)`", _sum),
    BuiltinAggregate("mean", "a number, as in `mean(amount)`", _number),
    BuiltinAggregate("std", "a number, as in `std(amount)`", _number),
    BuiltinAggregate("min", "a number, as in `min(amount)`", _same),
    BuiltinAggregate("max", "a number, as in `max(amount)`", _same),
    BuiltinAggregate("first", "a number, as in `first(amount)`", _same),
    BuiltinAggregate("last", "a number, as in `last(amount)`", _same),
    BuiltinAggregate("count_distinct", "a value, as in `count_distinct(merchant_id)`", _distinct),
    BuiltinAggregate("time_since_last", "nothing, as in `time_since_last()`; seconds", _elapsed),
)
