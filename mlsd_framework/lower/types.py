"""Type text of the spec into types: `float64?`, `float64 EUR`, `list<string>`, `vector<64>`, `money`."""

import re
from dataclasses import replace

from mlsd_framework.ir.types import DataType

SCALARS = (
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
)
OTHERS = ("image", "point", "edge")
ALIASES = {"int": "int64", "float": "float64", "money": "float64"}
TYPE_NAMES = (*SCALARS, *OTHERS, *ALIASES, "list", "vector")

_UNIT = re.compile(r"[A-Za-zµ%€$£][A-Za-z0-9_/*^%µ]{0,23}")
_VECTOR = re.compile(r"vector\s*<\s*([1-9][0-9]{0,5})\s*>")
_DEEPEST_LIST = 4


def parse_type(text: str) -> DataType | None:
    """Return the type that `text` names, None where it names none.

    `int`, `float` and `money` are short for int64 and float64; a money column names its currency as its unit.
    """
    return _parse(text, 0)


def _parse(text: str, depth: int) -> DataType | None:
    body = text.strip()
    nullable = body.endswith("?")
    if nullable:
        body = body[:-1].rstrip()
    found = _compound(body, depth) if "<" in body else _scalar(body)
    return replace(found, nullable=nullable) if found is not None else None


def _compound(body: str, depth: int) -> DataType | None:
    if vector := _VECTOR.fullmatch(body):
        return DataType("vector", item=DataType("float32"), size=int(vector[1]))
    if depth < _DEEPEST_LIST and body.startswith("list<") and body.endswith(">"):
        item = _parse(body[5:-1], depth + 1)
        return DataType("list", item=item) if item is not None else None
    return None


def _scalar(body: str) -> DataType | None:
    name, _, unit = body.partition(" ")
    unit = unit.strip()
    name = ALIASES.get(name, name)
    if name not in SCALARS and name not in OTHERS:
        return None
    found = DataType(name)  # type: ignore[arg-type]  # one of the two tuples above
    if not unit:
        return found
    return replace(found, unit=unit) if found.numeric and _UNIT.fullmatch(unit) else None
