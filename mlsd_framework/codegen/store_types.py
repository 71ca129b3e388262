"""How the types of features are kept in the online store's packed rows, and what a key never seen has."""

from mlsd_framework.ir.features import Default, DerivedGroup, StoredGroup, TableGroup
from mlsd_framework.ir.types import INTEGERS, DataType

_COUNTS = ("count", "count_distinct")


def store_dtype(type_: DataType) -> str:
    """Return the packed type of a feature: float64, int64, bool, timestamp or string."""
    if type_.name in INTEGERS or type_.name in ("duration", "date"):
        return "int64"
    if type_.name == "timestamp":
        return "timestamp"
    if type_.name == "bool":
        return "bool"
    return "string" if type_.text else "float64"


def default_of(group: StoredGroup, feature: str) -> Default:
    """Return the value of a feature for a key without events: counts are 0, all else is none but what a kind says."""
    if isinstance(group, TableGroup):
        return None
    if isinstance(group, DerivedGroup):
        return next(value for one, value in zip(group.features, group.defaults, strict=True) if one.name == feature)
    counts = {one.name for one in group.aggregates if one.function in _COUNTS}
    return 0 if feature.rsplit("_", 1)[0] in counts else None
