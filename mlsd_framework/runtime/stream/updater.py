"""The updater's process: a pump a source, each in a thread, until SIGTERM or until one of them cannot go on."""

import dataclasses
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.exposition import serve_metrics
from mlsd_framework.runtime.stream.live import LiveSource
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.metrics import SourceMetrics, StreamMetrics
from mlsd_framework.runtime.stream.pump import Pump, PumpSettings
from mlsd_framework.runtime.stream.source import StreamSource

REFUSED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdaterSettings:
    """Where the store is and whose states it keeps; who this replica is; where its metrics are shown (None: nowhere).

    `timeout` is for one exchange with the store, `freshness` what the system owes from an event to its readable value
    (None: nothing), both in seconds.
    """

    store: Address
    names: LiveNames
    replica: str
    metrics: tuple[str, int] | None = None
    timeout: float = 5.0
    freshness: float | None = None
    pump: PumpSettings = field(default_factory=PumpSettings)


class Updater:
    """Several sources, each fed into the live states by a thread of its own."""

    def __init__(self, feeds: Sequence[tuple[LiveSource, StreamSource]], settings: UpdaterSettings) -> None:
        """Make the pumps; refuse sources whose schema is none of a stream (E6601)."""
        self.metrics = StreamMetrics()
        self._settings = settings
        self._log = Log(settings.replica)
        self._stop = threading.Event()
        self._fault: BaseException | None = None
        self._pumps = {live.name: self._pump(live, source) for live, source in feeds}

    def run(self, ready: Callable[[int], None] | None = None) -> None:
        """Work until `stop`; raise what ended a pump. `ready` is told the port of the metrics, 0 where there is none.

        Raises RunError E66xx where a source or the store is such that waiting does not help.
        """
        with serve_metrics(self.metrics.registry, self._settings.metrics) as port:
            threads = [
                threading.Thread(target=self._guarded, args=(pump,), name=f"pump {name}")
                for name, pump in self._pumps.items()
            ]
            for thread in threads:
                thread.start()
            self._log.event("ready", sources=sorted(self._pumps), metrics_port=port)
            self._log.flush()
            if ready:
                ready(port)
            for thread in threads:
                thread.join()
        self._log.event("stopped")
        self._log.close()
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        """Let every pump end what it does and give its partitions back; safe in a signal handler."""
        self._stop.set()

    def _pump(self, live: LiveSource, source: StreamSource) -> Pump:
        settings = self._settings
        store = LiveStore(settings.store, settings.names, timeout=settings.timeout)
        metrics = SourceMetrics(self.metrics, live.name, [group.name for group in live.groups], settings.freshness)
        pump = dataclasses.replace(settings.pump, batch=settings.pump.batch.fresh())
        return Pump(live, source, store, metrics, Log(settings.replica), pump)

    def _guarded(self, pump: Pump) -> None:
        try:
            pump.run(self._stop)
        except BaseException as fault:  # noqa: BLE001 - whatever it is, it ends the process, and `run` raises it
            self._fault = self._fault or fault
            self._stop.set()


def run_updater(
    feeds: Sequence[tuple[LiveSource, StreamSource]],
    settings: UpdaterSettings,
    ready: Callable[[int], None] | None = None,
) -> int:
    """Run an updater as a process: return 0 after SIGTERM or SIGINT, 3 where it refuses to go on (told on stderr)."""
    try:
        updater = Updater(feeds, settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: updater.stop())
        updater.run(ready)
    except RunError as error:
        for fault in error.diagnostics:
            print(f"error[{fault.code}]: {fault.what}", file=sys.stderr)  # noqa: T201 - as a service's worker
            for name, text in (("expected", fault.expected), ("help", fault.help)):
                if text:
                    print(f"  = {name}: {text}", file=sys.stderr)  # noqa: T201 - the same
        return REFUSED
    return 0
