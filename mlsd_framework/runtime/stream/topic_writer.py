"""Producing events to a topic: each is acknowledged by all replicas in sync before its place is known."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.stream.brokers import Brokers

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import KafkaError, Message

_POLL_S = 0.05


class TopicWriter:
    """Writes to one topic; safe to share between threads, as librdkafka's producer is."""

    def __init__(self, topic: str, brokers: Brokers) -> None:
        """Make the producer; it connects by itself (E6602, E6610)."""
        try:
            from confluent_kafka import KafkaException, Producer  # noqa: PLC0415 - an extra, for those who have topics
        except ImportError as fault:
            raise RunError.of(
                "E6602", f"topic `{topic}` needs the package `confluent-kafka`", help="install `mlsd[kafka]`"
            ) from fault
        self._topic = topic
        settings: dict[str, str | int | float | bool] = {
            "log_level": 0,
            **brokers.options,
            "bootstrap.servers": brokers.addresses,
            "enable.idempotence": True,
            "linger.ms": 2,
        }
        try:
            self._producer = Producer(settings)
        except (KafkaException, ValueError, TypeError) as fault:
            raise _refused(topic, fault) from fault

    def add(self, events: Sequence[tuple[bytes, bytes]], timeout: float) -> list[str]:
        """Produce events, each a key and its JSON, and return each one's partition and offset (E6610)."""
        positions = [""] * len(events)
        faults: list[KafkaError] = []

        def delivered(at: int) -> "Callable[[KafkaError | None, Message], None]":
            def learn(fault: "KafkaError | None", message: "Message") -> None:
                if fault is not None:
                    faults.append(fault)
                else:
                    positions[at] = f"{self._topic}:{message.partition()}:{message.offset()}"

            return learn

        try:
            for at, (key, content) in enumerate(events):
                self._producer.produce(self._topic, content, key, on_delivery=delivered(at))
        except BufferError as fault:
            raise _refused(self._topic, "too many events wait for the brokers") from fault
        limit = time.monotonic() + timeout
        while not faults and not all(positions):
            if time.monotonic() >= limit:
                raise _refused(self._topic, f"no acknowledgement within {timeout:g} s")
            self._producer.poll(_POLL_S)
        if faults:
            raise _refused(self._topic, faults[0].str())
        return positions


def _refused(topic: str, why: object) -> RunError:
    return RunError.of("E6610", f"Kafka does not take events for topic `{topic}`: {why}")
