"""What a test's updater process does: read payments from a store's stream into states of the same store."""

from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.stream.batch_size import BatchSize
from mlsd_framework.runtime.stream.kafka import KafkaSettings, KafkaTopic
from mlsd_framework.runtime.stream.leases import LeaseTerms
from mlsd_framework.runtime.stream.pump import PumpSettings
from mlsd_framework.runtime.stream.updater import UpdaterSettings, run_updater
from mlsd_framework.runtime.stream.valkey import ValkeySettings, ValkeyStream
from tests.runtime.stream.payments import live

QUICK = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 200, "log_level": 0}


def update(
    url: str,
    replica: str = "a",
    partitions: int = 1,
    most: int = 64,
    lease_s: float = 6.0,
    timeout: float = 5.0,
    brokers: str = "",
) -> int:
    """Run an updater until it is told to stop; return its exit code. With `brokers` it reads a topic."""
    address, names = Address.parse(url), LiveNames("shop", "f1")
    source: KafkaTopic | ValkeyStream
    if brokers:
        source = KafkaTopic(KafkaSettings(brokers=brokers, topic="payments", group="g", options=QUICK))
    else:
        settings = ValkeySettings(address=address, stream="payments", partitions=partitions, timeout=timeout)
        source = ValkeyStream(settings, names, LeaseTerms(replica, lease_s))
    pump = PumpSettings(poll_s=0.02, batch=BatchSize(least=min(8, most), most=most, limit=most))
    return run_updater(
        [(live(), source)],
        UpdaterSettings(store=address, names=names, replica=replica, timeout=timeout, pump=pump),
    )
