"""What a test's updater process does: read payments from a store's stream into states of the same store."""

from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.stream.batch_size import BatchSize
from mlsd_framework.runtime.stream.leases import LeaseTerms
from mlsd_framework.runtime.stream.names import LiveNames
from mlsd_framework.runtime.stream.pump import PumpSettings
from mlsd_framework.runtime.stream.updater import UpdaterSettings, run_updater
from mlsd_framework.runtime.stream.valkey import ValkeySettings, ValkeyStream
from tests.runtime.stream.payments import live


def update(
    url: str, replica: str = "a", partitions: int = 1, most: int = 64, lease_s: float = 6.0, timeout: float = 5.0
) -> int:
    """Run an updater until it is told to stop; return its exit code."""
    address, names = Address.parse(url), LiveNames("shop", "f1")
    settings = ValkeySettings(address=address, stream="payments", partitions=partitions, timeout=timeout)
    source = ValkeyStream(settings, names, LeaseTerms(replica, lease_s))
    pump = PumpSettings(poll_s=0.02, batch=BatchSize(least=min(8, most), most=most, limit=most))
    return run_updater(
        [(live(), source)],
        UpdaterSettings(store=address, names=names, replica=replica, timeout=timeout, pump=pump),
    )
