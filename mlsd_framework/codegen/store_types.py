"""How the types of features are kept in the online store's packed rows, and what a key never seen has."""

from mlsd_framework.ir.features import Default, DerivedGroup, StoredGroup, TableGroup
from mlsd_framework.ir.types import FLOAT64, INTEGERS, DataType

_DEFAULTS: dict[str, float | tuple[()]] = {"count": 0, "count_distinct": 0, "rate": 0.0, "last_n": (), "top_k": ()}


def store_dtype(type_: DataType) -> str:
    """Return the packed type of a feature: float64, int64, bool, timestamp, string, or a list of one of them."""
    if type_.name in ("list", "vector"):
        return f"list<{store_dtype(type_.item or FLOAT64)}>"
    if type_.name in INTEGERS or type_.name in ("duration", "date"):
        return "int64"
    if type_.name == "timestamp":
        return "timestamp"
    if type_.name == "bool":
        return "bool"
    return "string" if type_.text else "float64"


def default_of(group: StoredGroup, feature: str) -> Default:
    """Return the value of a feature for a key without events: counts are 0, lists empty, all else is none.

    Of a group with a `kind` it is what the kind says.
    """
    if isinstance(group, TableGroup):
        return None
    if isinstance(group, DerivedGroup):
        return next(value for one, value in zip(group.features, group.defaults, strict=True) if one.name == feature)
    name = feature.rsplit("_", 1)[0]
    return next((_DEFAULTS.get(one.function) for one in group.aggregates if one.name == name), None)


def annotation(dtype: str) -> str:
    """Return the Python type of a packed type's values."""
    if dtype.startswith("list<"):
        return f"tuple[{annotation(dtype[5:-1])}, ...]"
    return {"float64": "float", "bool": "bool", "string": "str"}.get(dtype, "int")
