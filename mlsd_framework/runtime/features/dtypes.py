"""The types that a feature's value can have where features run: in frames, packed rows and states."""

from typing import Literal, TypeAlias

Dtype = Literal[
    "float64",
    "int64",
    "bool",
    "timestamp",
    "string",
    "list<float64>",
    "list<int64>",
    "list<bool>",
    "list<timestamp>",
    "list<string>",
]
Scalar: TypeAlias = float | int | bool | str | None
Value: TypeAlias = Scalar | tuple[Scalar, ...]

NUMERIC = frozenset({"float64", "int64", "bool"})


def item_of(dtype: Dtype) -> Dtype | None:
    """Return the type of a list's items, none where `dtype` is no list."""
    return dtype[5:-1] if dtype.startswith("list<") else None  # type: ignore[return-value] # one of the scalars above
