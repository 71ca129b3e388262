"""A Kafka topic as a source: partitions come from a consumer group, positions from the store.

The group only shares the partitions out. Its protocol is the eager one: states and positions are in the store, so that
nothing has to be moved when partitions are, and a rebalance is over in one round. Offsets are committed to Kafka for
its own tools to show, and never read.
"""

import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.logs import JsonHandler, Log
from mlsd_framework.runtime.stream.secret import Secret
from mlsd_framework.runtime.stream.source import Assignment, Chunk, Lag

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

_COMMIT_S = 5.0
_ASK_S = 5.0
_ALONE = "mlsd"  # the client wants a name; nobody joins a group of it
_TOLD = {"log_level": 4, "queued.max.messages.kbytes": 16384}  # what is fetched ahead of the store is bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """A topic, its brokers, and the group whose members share its partitions; None: one reader has them all.

    `options` are librdkafka's, as for TLS and SASL; a secret among them is a `Secret` and is read when the source is
    opened.
    """

    brokers: str
    topic: str
    group: str | None
    options: Mapping[str, str | int | float | bool | Secret] = field(default_factory=dict)


class KafkaTopic:
    """The partitions of a topic that its group gives to a replica; a `StreamSource`; without one a `RetainedStream`."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Connect nothing yet."""
        self.name = settings.topic
        self._settings = settings
        self._assignment = Assignment()
        self._consumer: Consumer | None = None
        self._log: Log | None = None
        self._next: dict[int, int] = {}  # the offset to read next; of a partition that is placed
        self._read_at: dict[int, int] = {}
        self._lost: dict[int, int] = {}
        self._is_moved = False
        self._commit_at = 0.0
        self._told = ""

    def open(self, assignment: Assignment, log: Log) -> None:
        """Join the group, or take every partition (E6602, E6603, E6604)."""
        try:
            from confluent_kafka import Consumer, KafkaException  # noqa: PLC0415 - an extra, for those who have topics
        except ImportError as fault:
            raise RunError.of(
                "E6602", f"topic `{self.name}` needs the package `confluent-kafka`", help="install `mlsd[kafka]`"
            ) from fault
        self._assignment, self._log = assignment, log
        try:
            self._consumer = Consumer(self._configuration(log))
        except (KafkaException, ValueError, TypeError) as fault:
            raise self._refused(fault) from fault
        if self._settings.group is None:
            assignment.assigned(self._partitions())
            return
        self._consumer.subscribe([self.name], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)

    def poll(self, limit: int, timeout: float) -> list[Chunk]:
        """Return messages; rebalances happen here."""
        from confluent_kafka import KafkaException  # noqa: PLC0415 - as in `open`

        if self._is_moved and not self._assignment.unplaced:
            self._opened.assign([self._part(number, offset) for number, offset in self._next.items()])
            self._is_moved = False
        try:
            messages = self._opened.consume(limit, timeout)
        except KafkaException as fault:
            raise self._refused(fault) from fault
        found: dict[int, list[Message]] = {}
        for message in messages:
            error = message.error()
            if error is not None:
                self._failed(error, message)
            elif (number := message.partition()) is not None and number in self._next:
                found.setdefault(number, []).append(message)
        return [self._chunk(number, some) for number, some in found.items()]

    def seek(self, partition: str, after: str | None, count: int | None = None) -> None:
        """Go on behind an offset; takes effect with the next poll."""
        from confluent_kafka import OFFSET_BEGINNING  # noqa: PLC0415 - as in `open`

        del count
        self._next[int(partition)] = OFFSET_BEGINNING if after is None else int(after) + 1
        self._is_moved = True

    def lag(self, partition: str) -> Lag:
        """Return how far the newest message that the client knows of is ahead."""
        number = int(partition)
        low, high = self._opened.get_watermark_offsets(self._part(number), cached=True)
        if high < 0 or number not in self._next:
            return Lag(None, None)
        behind = max(high - max(self._next[number], low), 0)
        read = self._read_at.get(number)
        return Lag(behind, 0.0 if not behind else None if not read else time.time() - read / 1e6)

    def lost(self, partition: str) -> int:
        """Return how many messages the topic's retention removed before they were read."""
        return self._lost.pop(int(partition), 0)

    def ends(self) -> dict[str, str]:
        """Return the offset of the newest message of each partition (E6603)."""
        from confluent_kafka import KafkaException  # noqa: PLC0415 - as in `open`

        found = {}
        for partition in sorted(self._assignment.held):
            try:
                low, high = self._opened.get_watermark_offsets(self._part(int(partition)), timeout=_ASK_S)
            except KafkaException as fault:
                raise self._refused(fault) from fault
            if high > low:
                found[partition] = str(high - 1)
        return found

    def has_reached(self, ends: Mapping[str, str]) -> bool:
        """Say whether partitions have been read up to these offsets."""
        return all(self._next[int(partition)] > int(at) for partition, at in ends.items())

    def committed(self, positions: dict[str, str]) -> None:
        """Commit offsets to the group now and then, for information."""
        from confluent_kafka import KafkaException  # noqa: PLC0415 - as in `open`

        if time.monotonic() < self._commit_at:
            return
        self._commit_at = time.monotonic() + _COMMIT_S
        offsets = [self._part(int(partition), int(at) + 1) for partition, at in positions.items()]
        with contextlib.suppress(KafkaException):
            self._opened.commit(offsets=offsets, asynchronous=True)

    def close(self) -> None:
        """Leave the group."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
        self._assignment.revoked(list(self._assignment.held))

    @property
    def _opened(self) -> "Consumer":
        if self._consumer is None:
            raise AssertionError("the topic is not open")
        return self._consumer

    def _configuration(self, log: Log) -> dict[str, object]:
        given = {
            name: value.read() if isinstance(value, Secret) else value for name, value in self._settings.options.items()
        }
        logger = logging.getLogger(f"mlsd.kafka.{self.name}")
        logger.propagate = False
        logger.handlers = [JsonHandler(log)]
        return {
            **_TOLD,
            **given,
            "bootstrap.servers": self._settings.brokers,
            "group.id": self._settings.group or _ALONE,
            # Offsets at the end may be those of no message, such as a transaction's own marks.
            "enable.partition.eof": self._settings.group is None,
            "partition.assignment.strategy": "roundrobin",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",  # a position that is gone is counted before it is left
            "error_cb": self._trouble,
            "logger": logger,
        }

    def _partitions(self) -> list[str]:
        from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415 - as in `open`

        try:
            topic = self._opened.list_topics(self.name, timeout=_ASK_S).topics[self.name]
        except KafkaException as fault:
            raise self._refused(fault) from fault
        if topic.error is not None and topic.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise self._refused(topic.error)
        return [str(number) for number in sorted(topic.partitions)]

    def _assigned(self, consumer: "Consumer", partitions: Sequence["TopicPartition"]) -> None:
        consumer.assign([])  # nothing is read before the store has said from where
        self._next.clear()
        self._assignment.assigned([str(one.partition) for one in partitions])

    def _revoked(self, consumer: "Consumer", partitions: Sequence["TopicPartition"]) -> None:
        consumer.unassign()
        self._assignment.revoked([str(one.partition) for one in partitions])
        for one in partitions:
            self._next.pop(one.partition, None)

    def _chunk(self, number: int, messages: Sequence["Message"]) -> Chunk:
        offsets = [message.offset() or 0 for message in messages]
        times = [max(message.timestamp()[1], 0) * 1000 for message in messages]
        self._next[number] = max(self._next[number], offsets[-1] + 1)  # the end may have been told already
        self._read_at[number] = times[-1]
        return Chunk(
            partition=str(number),
            payloads=[message.value() or b"" for message in messages],
            positions=[str(offset) for offset in offsets],
            times=times,
        )

    def _failed(self, error: "KafkaError", message: "Message") -> None:
        from confluent_kafka import KafkaError  # noqa: PLC0415 - as in `open`

        number = message.partition()
        if number in self._next and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - so it is named
            self._next[number] = max(self._next[number], message.offset() or 0)
            return
        if number is None or error.code() != KafkaError._AUTO_OFFSET_RESET or number not in self._next:  # noqa: SLF001 - so it is named
            self._trouble(error)
            return
        low, _ = self._opened.get_watermark_offsets(self._part(number), timeout=_ASK_S)
        self._lost[number] = self._lost.get(number, 0) + max(low - max(self._next[number], 0), 1)
        self._next[number] = low
        self._is_moved = True

    def _trouble(self, error: "KafkaError") -> None:
        if error.fatal():
            raise self._refused(error)
        if self._log is not None and error.name() != self._told:  # said once, not with every attempt
            self._told = error.name()
            self._log.event("kafka_waits", "warning", why=error.name(), message=error.str())
            self._log.flush()

    def _part(self, number: int, offset: int | None = None) -> "TopicPartition":
        from confluent_kafka import TopicPartition  # noqa: PLC0415 - as in `open`

        return TopicPartition(self.name, number) if offset is None else TopicPartition(self.name, number, offset)

    def _refused(self, fault: object) -> RunError:
        return RunError.of("E6603", f"Kafka does not let topic `{self.name}` be read: {fault}")
