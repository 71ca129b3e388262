"""What generated code declares of its streams: a source, the groups that it feeds, and where its events come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.stream.bootstrap import SourceLog, bootstrap
from mlsd_framework.runtime.stream.live import LiveSource
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.valkey import partitions_of

if TYPE_CHECKING:
    import polars as pl

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Feed:
    """A live source and its stream: a key of the store, or a topic.

    `retention` is how long entries of a stream in the store are kept once they are read; None: for ever.
    """

    source: LiveSource
    stream: str
    partitions: int = 1
    retention: timedelta | None = None


def fill_states(
    feeds: Sequence[Feed], logs: "Mapping[str, pl.LazyFrame]", *, system: str, features: str, store: str
) -> None:
    """Write the states of all live groups from the logs of their sources, and say how many there are.

    The streams go on from the oldest event that they still have: what the log has already is known again by its key.
    """
    live = LiveStore(Address.parse(store), LiveNames(system, features), timeout=_TIMEOUT_S)
    made = bootstrap(
        live,
        [
            SourceLog(
                live=feed.source,
                events=logs[feed.source.name].collect(),
                positions=dict.fromkeys(partitions_of(feed.stream, feed.partitions)),
            )
            for feed in feeds
        ],
    )
    live.close()
    for group, number in made.states.items():
        late = made.late[group]
        said = f", {late:,} events were written too late for it" if late else ""
        print(f"{group}: {number:,} states{said}")  # noqa: T201 - the record of a generated script's run
