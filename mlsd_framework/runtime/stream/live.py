"""What a stream feeds: the live groups of a source, each with its state's layout and the columns that it reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from mlsd_framework.runtime.data.schema import SourceTable
from mlsd_framework.runtime.features.windows import WindowGroup

if TYPE_CHECKING:
    import polars as pl

_SLACK_MS = 60_000

Derive = Callable[["pl.LazyFrame"], "pl.LazyFrame"]


class StateFormat(Protocol):
    """How the state of a key is written: what the updater needs of `StateLayout`."""

    @property
    def group(self) -> WindowGroup:
        """The group that the state is of."""

    @property
    def horizon_us(self) -> int | None:
        """After how long an idle state means nothing any more; None: never."""

    def blocks(self, frame: "pl.DataFrame") -> tuple[list[bytes], list[bytes]]:
        """Return the encoded keys of a frame's events, and for each what to append to its state."""

    def compact(self, state: bytes) -> bytes:
        """Return a state of the same meaning in one block; raise RunError for one that cannot be read."""


@dataclass(frozen=True, slots=True)
class LiveGroup:
    """A group whose states are fed: `derive` adds the columns that its aggregates read to a frame of events."""

    layout: StateFormat
    derive: Derive = field(default=lambda frame: frame)

    @property
    def name(self) -> str:
        """The name of the group."""
        return self.layout.group.name


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSource:
    """A source's schema and the groups that its stream feeds.

    `future` is how much later than its ingest time (or the clock) an event may say that it happened. `dead_letters` is
    how many rejected events the stream `<name>.dead` keeps, about.
    """

    table: SourceTable
    groups: tuple[LiveGroup, ...]
    ingest_time: str | None = None
    future: timedelta = timedelta(minutes=5)
    dead_letters: int = 10_000

    @property
    def name(self) -> str:
        """The name of the source."""
        return self.table.name

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The columns that names in the store are made of, and the source's key."""
        entities = [name for group in self.groups for name in group.layout.group.entity]
        return tuple(dict.fromkeys((*entities, *self.table.key)))


def feed(group: LiveGroup, frame: "pl.DataFrame", ingest_time: str | None) -> tuple[Mapping[bytes, bytes], int]:
    """Return what to append to which key's state for a frame of events, and how many of these came too late."""
    import polars as pl  # noqa: PLC0415 - the declarations above are for those who have no frames

    allowed = group.layout.group.allowed_lateness
    late = 0
    if allowed is not None and ingest_time is not None:
        waited = pl.col(ingest_time) - pl.col(group.layout.group.event_time)
        timely = frame.filter((waited <= allowed).fill_null(value=True))
        late, frame = frame.height - timely.height, timely
    if not frame.height:
        return {}, late
    keys, blocks = group.layout.blocks(group.derive(frame.lazy()).collect())
    return dict(zip(keys, blocks, strict=True)), late


def expiry_ms(live: LiveSource, group: LiveGroup) -> int | None:
    """Return after how long a state to which nothing is added may go; None: never.

    That is its horizon, and how far ahead of the clock its newest event may lie, and some slack for clocks.
    """
    horizon = group.layout.horizon_us
    return None if horizon is None else horizon // 1000 + live.future // timedelta(milliseconds=1) + _SLACK_MS
