"""What generated code declares of its streams: a source, the groups that it feeds, and where its events come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.stream.bootstrap import SourceLog, bootstrap
from mlsd_framework.runtime.stream.brokers import brokers_told
from mlsd_framework.runtime.stream.kafka import KafkaSettings, KafkaTopic
from mlsd_framework.runtime.stream.leases import LeaseTerms
from mlsd_framework.runtime.stream.live import LiveSource
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.valkey import ValkeySettings, ValkeyStream

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

    What the streams have and the logs do not is added, so that updaters go on from where the streams end now.
    """
    address, names = Address.parse(store), LiveNames(system, features)
    live = LiveStore(address, names, timeout=_TIMEOUT_S)
    made = bootstrap(
        live,
        [
            SourceLog(live=feed.source, events=logs[feed.source.name].collect(), stream=stream_of(feed, address, names))
            for feed in feeds
        ],
    )
    live.close()
    for source, added in made.added.items():
        lost = made.lost[source]
        said = f", {lost:,} payloads were removed from it unread" if lost else ""
        print(f"{source}: {added:,} events of its stream are not in the log{said}")  # noqa: T201 - the record of a generated script's run
    for group, number in made.states.items():
        late = made.late[group]
        said = f", {late:,} events were written too late for it" if late else ""
        print(f"{group}: {number:,} states{said}")  # noqa: T201 - the same


def stream_of(feed: Feed, address: Address, names: LiveNames, replica: str | None = None) -> KafkaTopic | ValkeyStream:
    """Return where the events of a feed come from, as one of several replicas reads it; None: one reader, all of it.

    Streams are in the store, unless this process was told of the brokers of their topics.
    """
    brokers = brokers_told()
    if brokers is not None:
        # One group for each meaning of the features: those of another release read every event too.
        group = None if replica is None else f"{names.system}.{names.features}.{feed.stream}"
        return KafkaTopic(
            KafkaSettings(brokers=brokers.addresses, topic=feed.stream, group=group, options=brokers.options)
        )
    settings = ValkeySettings(address=address, stream=feed.stream, partitions=feed.partitions, retention=feed.retention)
    return ValkeyStream(settings, names, None if replica is None else LeaseTerms(replica))
