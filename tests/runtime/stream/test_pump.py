"""The loop of one source: what it writes, what it leaves out, and what it does when positions move under it."""

from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.leases import LeaseTerms
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.metrics import SourceMetrics, StreamMetrics
from mlsd_framework.runtime.stream.names import LiveNames
from mlsd_framework.runtime.stream.pump import Pump, PumpSettings
from mlsd_framework.runtime.stream.source import Assignment
from mlsd_framework.runtime.stream.valkey import ValkeySettings, ValkeyStream
from tests.runtime.stream.payments import counted, encoded, live, payment
from tests.runtime.stream.store_process import StoreProcess


def test_events(store: StoreProcess, names: LiveNames) -> None:
    """Every event is in the state of its key once."""
    for n in range(100):
        store.ask(b"XADD", b"payments", b"*", b"e", encoded(payment(n)))
    metrics = StreamMetrics()
    address = Address.parse(store.url)
    source = ValkeyStream(ValkeySettings(address=address, stream="payments"), names, LeaseTerms("a"))
    pump = Pump(live(), source, LiveStore(address, names), SourceMetrics(metrics, "payments", ["card"]), Log(), PumpSettings(0.01))
    source.open(pump._assignment)
    done = 0
    while done < 100:
        done += pump.step()
    found = sum((counted(store.ask(b"GET", key)) for key in store.ask(b"KEYS", b"shop:f1:live:*")), start=counted(b""))
    assert found == {f"p{n}": 1 for n in range(100)}
    print(store.ask(b"GET", b"shop:f1:position:payments:payments"))
