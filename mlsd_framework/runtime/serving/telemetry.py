"""What a worker counts: plain integers on the hot path.

Added up over workers and written as Prometheus text on demand.
"""

from collections import Counter
from pathlib import Path

import msgspec

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.serving.exposition import Snapshot, exposition
from mlsd_framework.runtime.serving.histogram import Histogram

FORMAT = "text/plain; version=0.0.4; charset=utf-8"


class Telemetry:
    """The counters of one worker, and the way to see those of all workers as one.

    Every worker writes its counters to a file of its own in `folder` each second; whichever worker is asked adds up the
    files. A worker that takes over a dead one's name goes on from its counts, so that counters never fall.
    """

    def __init__(self, system: str, version: str = "", worker: str = "0", folder: Path | None = None) -> None:
        """Count for `worker`; without a `folder` it knows only of itself."""
        self.system = system
        self.version = version
        self.worker = worker
        self.in_flight = 0
        self.endpoints: dict[str, Histogram] = {}
        self.stages: dict[tuple[str, str], Histogram] = {}
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.gauges: dict[tuple[str, ...], float] = {}
        self._folder = folder
        self._file = folder / f"worker-{worker}.msgpack" if folder else None
        self._resume()

    def endpoint(self, endpoint: str) -> Histogram:
        """Return the histogram of whole requests of `endpoint`."""
        return self.endpoints.setdefault(endpoint, Histogram())

    def stage(self, endpoint: str, stage: str) -> Histogram:
        """Return the histogram of one stage of `endpoint`."""
        return self.stages.setdefault((endpoint, stage), Histogram())

    def gauge(self, family: str, *labels: str, value: float) -> None:
        """Say what a gauge of `exposition` is now, under its labels; a worker's own is shown, not a sum."""
        self.gauges[family, *labels] = value

    def snapshot(self) -> Snapshot:
        """Return the counters as they are now."""
        return Snapshot(
            worker=self.worker,
            version=self.version,
            in_flight=self.in_flight,
            counts=[(list(key), value) for key, value in list(self.counts.items())],
            endpoints=[([key], h.counts, h.total) for key, h in self.endpoints.items()],
            stages=[(list(key), h.counts, h.total) for key, h in self.stages.items()],
            gauges=[(list(key), value) for key, value in list(self.gauges.items())],
        )

    def flush(self) -> None:
        """Write the counters to this worker's file; a reader sees the former file or the new one."""
        if self._file is None:
            return
        part = self._file.with_suffix(".part")
        # Not synced: these are counters of a running process, and a sync would hold up requests.
        part.write_bytes(msgspec.msgpack.encode(self.snapshot()))
        part.replace(self._file)

    def retire(self) -> None:
        """Write the last counts of a worker that ends, durably, with nothing in flight."""
        self.in_flight = 0
        self.gauges.clear()
        if self._file is not None:
            atomic.write_bytes(self._file, msgspec.msgpack.encode(self.snapshot()))

    def text(self) -> bytes:
        """Return the metrics of all workers in the Prometheus text format."""
        others = [] if self._folder is None else _read(self._folder, skip=self._file)
        return exposition(self.system, [self.snapshot(), *others])

    def _resume(self) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        former = _decode(self._file)
        if former is None:
            return
        self.counts.update({tuple(key): value for key, value in former.counts})
        for keys, counts, total in former.endpoints:
            _set(self.endpoint(keys[0]), counts, total)
        for keys, counts, total in former.stages:
            _set(self.stage(keys[0], keys[1]), counts, total)


def _set(histogram: Histogram, counts: list[int], total: float) -> None:
    if len(counts) == len(histogram.counts):
        histogram.counts, histogram.total = counts, total


def _read(folder: Path, skip: Path | None) -> list[Snapshot]:
    found = (_decode(path) for path in sorted(folder.glob("worker-*.msgpack")) if path != skip)
    return [snapshot for snapshot in found if snapshot is not None]


def _decode(path: Path) -> Snapshot | None:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Snapshot)
    except (OSError, msgspec.DecodeError):
        return None
