"""The types of the language: what a column, an expression or a feature holds."""

from dataclasses import dataclass, replace
from typing import Literal

Scalar = Literal[
    "string",
    "category",
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "float32",
    "float64",
    "timestamp",
    "date",
    "duration",
    "null",
]
Compound = Literal["list", "vector", "struct", "image", "point", "edge"]

INTEGERS = ("int8", "int16", "int32", "int64")
FLOATS = ("float32", "float64")


@dataclass(frozen=True, slots=True)
class DataType:
    """A type with its unit and whether null is one of its values.

    `item` is the element of a list or a vector, `size` a vector's dimension, `fields` a struct's
    members in order. A `unit` is written as in the spec (`EUR`, `s`, `km`); money is a float64
    whose unit is a currency.
    """

    name: Scalar | Compound
    nullable: bool = False
    unit: str | None = None
    item: "DataType | None" = None
    size: int | None = None
    fields: tuple[tuple[str, "DataType"], ...] = ()

    def __str__(self) -> str:
        """Print as the spec writes it, such as `float64?`, `list<string>`, `vector<64>`."""
        text = str(self.name)
        if self.item is not None:
            inner = str(self.size) if self.name == "vector" else str(self.item)
            text = f"{self.name}<{inner}>"
        if self.unit is not None:
            text += f" {self.unit}"
        return text + ("?" if self.nullable else "")

    @property
    def numeric(self) -> bool:
        """Whether arithmetic is defined."""
        return self.name in INTEGERS or self.name in FLOATS

    @property
    def text(self) -> bool:
        """Whether it holds text: a string or a category."""
        return self.name in ("string", "category")

    def or_null(self) -> "DataType":
        """Return the same type with null among its values."""
        return self if self.nullable else replace(self, nullable=True)

    def widened(self) -> "DataType":
        """Return the type that arithmetic works in: int64 for integers, float64 for floats, string for text."""
        if self.name in INTEGERS:
            return replace(self, name="int64")
        if self.name in FLOATS:
            return replace(self, name="float64")
        return replace(self, name="string") if self.name == "category" else self

    def not_null(self) -> "DataType":
        """Return the same type without null."""
        return replace(self, nullable=False) if self.nullable else self


STRING = DataType("string")
BOOL = DataType("bool")
INT64 = DataType("int64")
FLOAT64 = DataType("float64")
TIMESTAMP = DataType("timestamp")
DATE = DataType("date")
DURATION = DataType("duration")
NULL = DataType("null", nullable=True)
"""The type of a bare `null`, before its neighbours give it one; no column has it."""
