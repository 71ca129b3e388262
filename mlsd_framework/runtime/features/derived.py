"""What a derived group is: features that a function of a kind makes of the past, snapshot by snapshot; light.

The function gets the past of each source as a frame, the moment of the snapshot, and its settings by name. It is called
with what was known at that moment and nothing else, so it cannot look ahead; that the same past gives the same rows,
whatever was computed before, is what it owes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.windows import FeatureColumn

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a function returns: a row an entity, its key's columns and its features; and what it left out, counted."""

    rows: "pl.DataFrame"
    left_out: Mapping[str, int] = field(default_factory=dict)


class SnapshotFunction(Protocol):
    """Computes one snapshot."""

    def __call__(self, past: "Mapping[str, pl.DataFrame]", moment: datetime, /, **settings: Any) -> Snapshot:  # noqa: ANN401 - each kind has settings of its own
        """Return the snapshot at `moment`; `past` has each source's events in order of time, with the columns asked."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a group reads of a source: the columns that its function gets, and by which times rows are known.

    Events at one time are ordered by `key`. With `ingest_time` a row is not seen before it was written. Of rows that
    are equal in all `columns` a function that wants `distinct` ones gets the last, which makes its work less.
    """

    source: str
    columns: tuple[str, ...]
    event_time: str
    ingest_time: str | None = None
    key: tuple[str, ...] = ()
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class DerivedGroup:
    """Features of an entity as of the last snapshot.

    A question at time t reads the snapshot at m, t floored to a multiple of `refresh` since 1970-01-01 UTC. It is made
    of the events in `[m - delay - window, m - delay)`, of all before without a `window`, that were written by m. A key
    that it lacks, and a null one, has the columns' defaults.
    """

    name: str
    entity: tuple[str, ...]
    readings: tuple[Reading, ...]
    function: SnapshotFunction
    columns: tuple[FeatureColumn, ...]
    refresh: timedelta
    window: timedelta | None = None
    delay: timedelta = timedelta(0)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what has no meaning: no key, no source, no column, two of one name, lengths that are not positive."""
        if not self.entity or not self.readings or not self.columns:
            what, expected = "lacks an entity, a source or a column", "at least one of each"
        elif len({one.name for one in self.columns} | set(self.entity)) < len(self.columns) + len(self.entity):
            what, expected = "names a column twice", "each column once, and none named as a key"
        elif self.refresh <= timedelta(0) or (self.window is not None and self.window <= timedelta(0)):
            what, expected = "has a refresh or a window that is empty", "a positive length of time"
        elif self.delay < timedelta(0):
            what, expected = f"has a delay of {self.delay}", "a length of time that is not negative"
        else:
            return
        raise RunError.of("E6201", f"derived group `{self.name}` {what}", expected=expected)
