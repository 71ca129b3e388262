"""What a column group takes from a table: an entity's attributes, valid from a moment on; light, as `windows` is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.dtypes import Dtype
from mlsd_framework.runtime.features.windows import FeatureColumn


@dataclass(frozen=True, slots=True)
class ColumnGroup:
    """Columns of the row of an entity's table that is valid at a moment.

    A question at time t sees the newest row with `valid_from` <= as_of and, where `valid_to` is given and not null,
    as_of < `valid_to`; with `ingest_time` only rows that were written by as_of. as_of is t, or with `refresh` t floored
    to a multiple of it since 1970-01-01 UTC. Of rows with one `valid_from` the last by the source's `key` wins, without
    one the last in the table. Without `valid_from` rows are always valid. A key without a valid row, or with a null,
    has nulls.
    """

    name: str
    entity: tuple[str, ...]
    source: str
    columns: tuple[str, ...]
    valid_from: str | None = None
    valid_to: str | None = None
    refresh: timedelta | None = None
    key: tuple[str, ...] = ()
    ingest_time: str | None = None

    def __post_init__(self) -> None:
        """Refuse a group without a key or a column, and one that ends without a beginning."""
        if not self.entity or not self.columns:
            raise RunError.of(
                "E6201", f"column group `{self.name}` lacks an entity or a column", expected="at least one of each"
            )
        if len(set(self.columns)) != len(self.columns):
            raise RunError.of("E6201", f"column group `{self.name}` names a column twice", expected="each column once")
        if self.valid_to is not None and self.valid_from is None:
            raise RunError.of(
                "E6201",
                f"column group `{self.name}` has a `valid_to` and no `valid_from`",
                expected="both or only `valid_from`",
            )
        if self.ingest_time is not None and self.valid_from is None:
            raise RunError.of(
                "E6201",
                f"column group `{self.name}` has an `ingest_time` and no `valid_from`",
                expected="both or only `valid_from`",
            )
        if self.refresh is not None and self.refresh <= timedelta(0):
            raise RunError.of(
                "E6201",
                f"column group `{self.name}` has a refresh of {self.refresh}",
                expected="a positive length of time",
            )


def table_columns(group: ColumnGroup, values: Mapping[str, Dtype]) -> tuple[FeatureColumn, ...]:
    """Return the group's columns in order; `values` gives the types of the table's columns."""
    missing = [name for name in group.columns if name not in values]
    if missing:
        raise RunError.of(
            "E6202",
            f"column group `{group.name}` reads `{missing[0]}`, which the table does not have",
            expected=f"one of: {', '.join(sorted(values))}",
        )
    return tuple(FeatureColumn(name, values[name]) for name in group.columns)
