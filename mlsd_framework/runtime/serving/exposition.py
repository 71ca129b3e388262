"""The Prometheus text of a service: the counters of its workers, added up."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from mlsd_framework.runtime.serving.histogram import SECONDS

Counted = list[tuple[list[str], int]]
Gauged = list[tuple[list[str], float]]
Timed = list[tuple[list[str], list[int], float]]


class Snapshot(msgspec.Struct):
    """The counters of one worker at one moment."""

    worker: str
    version: str
    in_flight: int
    counts: Counted
    endpoints: Timed
    stages: Timed
    gauges: Gauged = []


# What is counted: the first word of a counter's key, then the names of the labels that the rest of the key holds.
COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "requests": ("Requests answered, by status.", ("endpoint", "status")),
    "decisions": ("Decisions made, by action.", ("endpoint", "action")),
    "rules": ("Rules that fired.", ("endpoint", "rule")),
    "recommendations": ("Lists of recommendations made.", ("endpoint",)),
    "recommended_items": ("Items in lists of recommendations.", ("endpoint",)),
    "recommended_from": (
        "Items in lists by source; one of two sources counts for both.",
        ("endpoint", "source"),
    ),
    "cold_starts": ("Lists of recommendations for users of whom nothing was known.", ("endpoint",)),
    "result_cache": ("Look-ups of lists made before, by what came of them.", ("endpoint", "outcome")),
    "result_cache_evictions": ("Lists made before that gave way to newer ones.", ("endpoint",)),
    "degraded": ("Answers given without a stage, because it failed.", ("endpoint", "stage")),
    "still_at_work": ("Sources left out because an earlier request still kept them at work.", ("endpoint", "stage")),
    "over_budget": ("Stages that took longer than their budget.", ("endpoint", "stage")),
    "refused": ("Requests refused, by code.", ("endpoint", "code")),
    "index_changes": ("Items that were taken into indexes, or out of them.", ("entity",)),
    "index_late": ("Items that were taken in later than the system owes.", ("entity",)),
    "index_rebalances": ("Indexes whose engine was built again over what had come.", ("entity",)),
    "index_refused": ("Changes of items that a worker could not take in, by code.", ("entity", "code")),
    "events": ("Events that callers sent, by what came of them.", ("source", "outcome")),
}

# What a worker tells of itself, with the labels that its key holds; the worker is one more.
GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "index_items": ("Items that can be found.", ("entity",)),
    "index_freshness_seconds": (
        "Time from the last change of the items' table to when a worker had it.",
        ("entity",),
    ),
    "index_upsert_seconds": ("Time in which a worker took the last change in.", ("entity",)),
}


def exposition(system: str, snapshots: Sequence[Snapshot]) -> bytes:
    """Return the sums over `snapshots` in the Prometheus text format, sorted."""
    lines: list[str] = []
    lines += _counters(snapshots)
    lines += _histogram(
        "mlsd_request_seconds", "Time from a request to its answer.", ("endpoint",), _timed(snapshots, "endpoints")
    )
    lines += _histogram("mlsd_stage_seconds", "Time in a stage.", ("endpoint", "stage"), _timed(snapshots, "stages"))
    lines += _gauges(snapshots)
    lines += ["# HELP mlsd_in_flight Requests in a worker now.", "# TYPE mlsd_in_flight gauge"]
    lines += [f"mlsd_in_flight{_labels(('worker',), (s.worker,))} {s.in_flight}" for s in snapshots]
    lines += ["# HELP mlsd_info The system and the version that a worker serves.", "# TYPE mlsd_info gauge"]
    lines += [
        f"mlsd_info{_labels(('system', 'version', 'worker'), (system, s.version, s.worker))} 1" for s in snapshots
    ]
    return ("\n".join(lines) + "\n").encode()


def _counters(snapshots: Iterable[Snapshot]) -> Iterator[str]:
    sums: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for snapshot in snapshots:
        for (family, *labels), value in snapshot.counts:
            sums[family][tuple(labels)] += value
    for family, (text, names) in COUNTERS.items():
        yield f"# HELP mlsd_{family}_total {text}"
        yield f"# TYPE mlsd_{family}_total counter"
        for values, count in sorted(sums[family].items()):
            yield f"mlsd_{family}_total{_labels(names, values)} {count}"


def _gauges(snapshots: Sequence[Snapshot]) -> Iterator[str]:
    for family, (text, names) in GAUGES.items():
        found = [(key[1:], value, one.worker) for one in snapshots for key, value in one.gauges if key[0] == family]
        if found:
            yield f"# HELP mlsd_{family} {text}"
            yield f"# TYPE mlsd_{family} gauge"
        for values, value, worker in sorted(found):
            yield f"mlsd_{family}{_labels((*names, 'worker'), (*values, worker))} {value:g}"


def _timed(snapshots: Iterable[Snapshot], which: str) -> dict[tuple[str, ...], tuple[list[int], float]]:
    sums: dict[tuple[str, ...], tuple[list[int], float]] = {}
    for snapshot in snapshots:
        for keys, counts, total in getattr(snapshot, which):
            before, seconds = sums.get(tuple(keys), ([0] * len(counts), 0.0))
            sums[tuple(keys)] = ([a + b for a, b in zip(before, counts, strict=True)], seconds + total)
    return sums


def _histogram(
    name: str, text: str, names: tuple[str, ...], sums: dict[tuple[str, ...], tuple[list[int], float]]
) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} histogram"
    for values, (counts, total) in sorted(sums.items()):
        running = 0
        for bound, count in zip((*map(repr, SECONDS), "+Inf"), counts, strict=True):
            running += count
            yield f"{name}_bucket{_labels((*names, 'le'), (*values, bound))} {running}"
        yield f"{name}_sum{_labels(names, values)} {total!r}"
        yield f"{name}_count{_labels(names, values)} {running}"


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = zip(names, values, strict=True)
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
