"""A Kafka topic as a source, on the cluster that librdkafka mocks: its protocol is real, its brokers are threads."""

import itertools
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.kafka import KafkaSettings, KafkaTopic
from mlsd_framework.runtime.stream.secret import Secret
from mlsd_framework.runtime.stream.source import Assignment
from tests.runtime.stream.overlapping import LIVE, filled, finished, oracle, sent
from tests.runtime.stream.payments import BEGIN, encoded, payment
from tests.runtime.stream.pumping import stepped
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.updater_process import Updaters
from tests.runtime.stream.updating import QUICK
from tests.runtime.stream.watching import all_counted, read_up_to, wait_for

confluent_kafka = pytest.importorskip("confluent_kafka")

_TOPICS = itertools.count()


@dataclass
class Cluster:
    """Brokers, and a producer that writes to them."""

    producer: "confluent_kafka.Producer"
    brokers: str

    def add(self, events: Iterable[object], topic: str = "payments") -> None:
        """Produce events, keyed by their cards."""
        for event in events:
            content = event if isinstance(event, bytes) else encoded(event)
            key = str(event["card"]) if isinstance(event, dict) else None
            self.producer.produce(topic, content, key=key)
        assert self.producer.flush(10) == 0

    def source(self, topic: str = "payments") -> KafkaTopic:
        """A member of the group that reads the topic."""
        return KafkaTopic(KafkaSettings(brokers=self.brokers, topic=topic, group="g", options=QUICK))


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Three brokers, as threads of the producer."""
    producer = confluent_kafka.Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "", "log_level": 0})
    brokers = producer.list_topics(timeout=10).brokers.values()
    producer.list_topics("payments", timeout=10)
    yield Cluster(producer, ",".join(f"{one.host}:{one.port}" for one in brokers))
    del producer


def test_messages_reach_their_states(cluster: Cluster, store: StoreProcess) -> None:
    """Every message is in its state once, also after its reader went and another came."""
    cluster.add(payment(n) for n in range(300))
    first = stepped(store, cluster.source())
    first.run(300)
    first.source.close()
    cluster.add(payment(n) for n in range(300, 400))
    second = stepped(store, cluster.source())
    second.run(100)
    second.pump._upkeep()
    second.source.close()
    assert all_counted(store) == {f"p{n}": 1 for n in range(400)}
    assert sum(second.total("lag_payloads", partition=str(part)) for part in range(4)) == 0
    assert second.total("freshness_seconds_count") == 100


def test_bad_messages(cluster: Cluster, store: StoreProcess) -> None:
    """A message that is no event goes to the dead letters with its partition and offset, and stops nothing."""
    cluster.add([payment(1), b"{", payment(2)])
    pumped = stepped(store, cluster.source())
    pumped.run(3)
    pumped.source.close()
    letters = store.ask(b"XRANGE", b"payments.dead", b"-", b"+")
    assert isinstance(letters, list)
    assert b"json" in letters[0][1]
    assert all_counted(store) == {"p1": 1, "p2": 1}


def test_a_position_that_retention_removed(cluster: Cluster) -> None:
    """A position beyond what the topic has leads to its oldest message, and is counted as a loss."""
    cluster.add(payment(n) for n in range(50))
    source = cluster.source()
    assignment = Assignment()
    source.open(assignment, Log())
    wait_for(lambda: not source.poll(10, 0.1) and len(assignment.held) == 4)
    for part in sorted(assignment.held):
        source.seek(part, "1000000")
    assignment.unplaced.clear()
    found: list[bytes] = []

    def all_are_there() -> bool:
        found.extend(one for chunk in source.poll(100, 0.1) for one in chunk.payloads)
        return len(found) == 50

    wait_for(all_are_there)
    assert sum(source.lost(str(part)) for part in range(4)) >= 4
    source.close()


def test_secrets_are_read_when_they_are_needed(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is missing is named by where it should be; one that is there is not shown."""
    secret = Secret(env="KAFKA_SECRET_OF_THE_TEST")
    options = {"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": "u"}
    settings = KafkaSettings(
        brokers=cluster.brokers, topic="payments", group="g", options={**options, "sasl.password": secret}
    )
    with pytest.raises(RunError, match="E6604"):
        KafkaTopic(settings).open(Assignment(), Log())
    monkeypatch.setenv("KAFKA_SECRET_OF_THE_TEST", "hunter2")
    source = KafkaTopic(settings)
    source.open(Assignment(), Log())
    source.close()
    assert "hunter2" not in repr(settings) + repr(source)


def test_a_setting_that_does_not_exist(cluster: Cluster) -> None:
    """A setting that the client does not have is refused by its name."""
    settings = KafkaSettings(brokers=cluster.brokers, topic="payments", group="g", options={"no.such": 1})
    with pytest.raises(RunError, match=r"E6603.*no\.such"):
        KafkaTopic(settings).open(Assignment(), Log())


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1500), st.integers(0, 1500), st.integers(0, 1500))
def test_log_and_topic_overlap(
    cluster: Cluster, store: StoreProcess, monkeypatch: pytest.MonkeyPatch, first: int, second: int, third: int
) -> None:
    """Events that a log and a topic both have count once, however many, beside a member of the group that reads on."""
    store.ask(b"FLUSHALL")
    monkeypatch.setenv("MLSD_KAFKA_BROKERS", cluster.brokers)
    topic = f"payments{next(_TOPICS)}"
    cluster.producer.list_topics(topic, timeout=10)
    begin, cut, then = sorted((first, second, third))
    numbers = range(1600)
    cluster.add([payment(number, cards=3) for number in numbers[begin:then]], topic)
    member = stepped(store, cluster.source(topic), fed=LIVE)
    member.run(min(10, then - begin)) if then > begin else None
    filled(store, [sent(number, cards=3) for number in numbers[:cut]], stream=topic)
    cluster.add([payment(number, cards=3) for number in numbers[then:]], topic)
    wait_for(lambda: (member.pump.step(), read_up_to(store) == 1600 - begin)[1])
    member.source.close()
    moment = BEGIN + timedelta(seconds=1600)
    assert finished(store, moment, 3) == oracle([sent(number, cards=3) for number in numbers], moment, 3)


@pytest.mark.process
def test_rebalancing(cluster: Cluster, store: StoreProcess) -> None:
    """Through members of the group that join, leave and are killed, each message counts once."""
    sent = 0

    def send(number: int) -> None:
        nonlocal sent
        cluster.add(payment(n) for n in range(sent, sent + number))
        sent += number

    with Updaters() as updaters:
        living = [updaters.start(url=store.url, replica="r0", brokers=cluster.brokers, most=32)]
        send(500)
        wait_for(lambda: read_up_to(store) >= 100)
        for turn in (1, 2):
            living.append(updaters.start(url=store.url, replica=f"r{turn}", brokers=cluster.brokers, most=32))
            for _ in range(10):
                send(50)
                time.sleep(0.15)
            updaters.signal(living.pop(0), signal.SIGKILL if turn == 1 else signal.SIGTERM)
            send(200)
        wait_for(lambda: read_up_to(store) >= sent)
        assert updaters.signal(living[0], signal.SIGTERM) == 0
    assert read_up_to(store) == sent
    assert all_counted(store) == {f"p{n}": 1 for n in range(sent)}
