"""How the types of features are kept in the online store's packed rows, and what a key never seen has."""

from typing import Final

from mlsd_framework.ir.features import TableGroup, WindowGroup
from mlsd_framework.ir.types import INTEGERS, DataType

_EMPTY: Final[dict[str, int | float | tuple[()]]] = {
    "count": 0, "count_distinct": 0, "rate": 0.0, "last_n": (), "top_k": (),
}  # fmt: skip


def store_dtype(type_: DataType) -> str:
    """Return the packed type of a feature: float64, int64, bool, timestamp, string, or a list of one of them."""
    if type_.name == "list" and type_.item is not None:
        return f"list<{store_dtype(type_.item)}>"
    if type_.name in INTEGERS or type_.name in ("duration", "date"):
        return "int64"
    if type_.name == "timestamp":
        return "timestamp"
    if type_.name == "bool":
        return "bool"
    return "string" if type_.text else "float64"


def default_of(group: WindowGroup | TableGroup, feature: str) -> int | float | tuple[()] | None:
    """Return the value of a feature for a key without events: counts and rates are 0, lists empty, all else none."""
    if isinstance(group, TableGroup):
        return None
    functions = {one.name: one.function for one in group.aggregates}
    return _EMPTY.get(functions[feature.rsplit("_", 1)[0]])
