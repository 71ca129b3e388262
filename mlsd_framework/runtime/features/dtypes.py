"""The types that a feature's value can have where features run: in frames, packed rows and states."""

from typing import Literal, TypeAlias

Dtype = Literal[
    "float64",
    "float32",
    "int64",
    "int32",
    "bool",
    "timestamp",
    "string",
    "bytes",
    "list<float64>",
    "list<float32>",
    "list<int64>",
    "list<int32>",
    "list<bool>",
    "list<timestamp>",
    "list<string>",
    "list<bytes>",
]
Scalar: TypeAlias = float | int | bool | str | bytes | None
Value: TypeAlias = Scalar | tuple[Scalar, ...]

NUMERIC = frozenset({"float64", "int64", "bool"})


def item_of(dtype: Dtype) -> Dtype | None:
    """Return the type of a list's items, none where `dtype` is no list."""
    return dtype[5:-1] if dtype.startswith("list<") else None  # type: ignore[return-value] # one of the scalars above
