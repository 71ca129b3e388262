"""The shape of one function's entry: its signature, its type rule, its page and its examples."""

import builtins
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from mlsd_framework.ir.types import FLOAT64, DataType

Kind = Literal["number", "integer", "text", "timestamp", "duration", "any", "same"]
Nulls = Literal["any", "all", "never", "possible"]
Group = Literal["conditional", "mathematics", "text", "time"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: `same` means the arguments of that kind take one common type.

    A `literal` argument is a constant in the spec: one of `choices` where there are any, and a number
    (or the length of a text) between `minimum` and `maximum`.
    """

    name: str
    kind: Kind
    literal: bool = False
    optional: bool = False
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function of the language; both runtimes implement it under `python_name`.

    `nulls` says when the result is null: when any argument is, when all are, never, or also where
    the value is undefined (`possible`). `repeats` lets the last parameter occur again and again.
    An example is an expression without columns and its value in the scalar representation.
    """

    name: str
    group: Group
    parameters: tuple[Parameter, ...]
    result: Callable[[tuple[DataType, ...]], DataType]
    doc: str
    examples: tuple[tuple[str, bool | float | str | None], ...]
    nulls: Nulls = "any"
    repeats: bool = False

    @property
    def python_name(self) -> str:
        """The name of its implementation: the SQL name, with `_` after it where Python has a builtin of that name."""
        return self.name + "_" if hasattr(builtins, self.name) else self.name

    @property
    def signature(self) -> str:
        """Print as the documentation does, such as `round(x, [digits])`."""
        shown = [f"[{p.name}]" if p.optional else p.name for p in self.parameters]
        return f"{self.name}({', '.join([*shown, '…'] if self.repeats else shown)})"

    @property
    def fewest(self) -> int:
        """How many arguments it needs."""
        return sum(not p.optional for p in self.parameters)

    @property
    def most(self) -> int | None:
        """How many arguments it takes, None when there is no end."""
        return None if self.repeats else len(self.parameters)

    def parameter(self, index: int) -> Parameter:
        """Return the parameter that the argument at `index` fills."""
        return self.parameters[min(index, len(self.parameters) - 1)]

    def type_of(self, arguments: tuple[DataType, ...]) -> DataType:
        """Return the result's type, null included where it can occur."""
        nullable = {
            "any": any(a.nullable for a in arguments),
            "all": all(a.nullable for a in arguments),
            "never": False,
            "possible": True,
        }[self.nulls]
        return replace(self.result(arguments), nullable=nullable)


def always(result: DataType) -> Callable[[tuple[DataType, ...]], DataType]:
    """Return the rule of a function whose result has one type."""
    return lambda _: result


def as_first(arguments: tuple[DataType, ...]) -> DataType:
    """Give the type and unit of the first argument."""
    return arguments[0]


FLOAT = always(FLOAT64)
