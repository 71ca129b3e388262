"""Runs the window kernel over ordered events, keys spread over threads; arrays in, arrays out, no frames."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features import kernel
from mlsd_framework.runtime.features.ordering import Ordered

_CHUNK = 1 << 16  # events and questions that one call of the kernel works on: their ranges stay in the cache
_INT64 = 2**63 - 1

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Values:
    """A value column in the events' order: float64, int64, or codes of what is neither; `valid` is false where the value is null."""

    values: Array
    valid: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Request:
    """What to compute over one column: `count`, `sum` (mean is made of it), `std`, `min`, `max`, `first`, `last` or `count_distinct`."""

    function: str
    column: Values | None


@dataclass(frozen=True, slots=True)
class Result:
    """What came out, [window, question]: numbers, or the events (-1: none) that hold them; `numbers` of values beside a sum."""

    out: Array
    numbers: Array | None = None


Call = Callable[[int, int, Array, Array], None]


def evaluate(ordered: Ordered, widths: Sequence[int], requests: Sequence[Request], threads: int | None = None) -> list[Result]:
    """Compute every request for every window (`widths` in microseconds, negative: lifetime) and question, in the questions' own order.

    Each key is computed by one thread, so the number of threads does not change the result.
    """
    prepared = [_prepare(request, ordered, len(widths)) for request in requests]
    lengths = np.asarray(widths, np.int64)

    def work(chunk: tuple[int, int]) -> None:
        first, last = chunk
        asked = int(ordered.asks_at[last] - ordered.asks_at[first])
        if not asked:
            return
        lows, highs = np.empty((len(widths), asked), np.int64), np.empty(asked, np.int64)
        kernel.ranges(ordered.times, ordered.ends, lengths, ordered.events_at, ordered.asks_at, first, last, lows, highs)
        for call, _ in prepared:
            call(first, last, lows, highs)

    chunks = _chunks(ordered)
    number = min(threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (threads or os.cpu_count() or 1), len(chunks))
    if number <= 1:
        for chunk in chunks:
            work(chunk)
    else:
        with ThreadPoolExecutor(number) as pool:
            list(pool.map(work, chunks))
    return [result for _, result in prepared]


def _chunks(ordered: Ordered) -> list[tuple[int, int]]:
    load = ordered.events_at + ordered.asks_at
    cuts = np.searchsorted(load, np.arange(0, int(load[-1]), _CHUNK)[1:])
    edges = np.unique(np.concatenate(([0], cuts, [len(load) - 1])))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _prepare(request: Request, ordered: Ordered, windows: int) -> tuple[Call, Result]:
    shape = (windows, len(ordered.asks))
    at, asks, rows = ordered.events_at, ordered.asks_at, ordered.asks
    column = request.column
    integers = np.empty(shape, np.int64)
    if column is None:
        return _of_events(request.function, ordered, integers), Result(integers)
    values, valid = column.values, column.valid
    match request.function:
        case "count":
            return lambda f, l, lows, highs: kernel.count_valid(valid, at, asks, f, l, lows, highs, rows, integers), Result(integers)
        case "sum" if values.dtype == np.int64:
            _refuse_overflow(values, at)
            totals = np.empty(shape, np.int64)
            return lambda f, l, lows, highs: kernel.sums_integer(values, valid, at, asks, f, l, lows, highs, rows, totals, integers), Result(totals, integers)
        case "sum":
            sums = np.empty(shape)
            return lambda f, l, lows, highs: kernel.sums_float(values, valid, at, asks, f, l, lows, highs, rows, sums, integers), Result(sums, integers)
        case "std":
            floats, out = values.astype(np.float64, copy=False), np.empty(shape)
            return lambda f, l, lows, highs: kernel.deviations(floats, valid, at, asks, f, l, lows, highs, rows, out), Result(out)
        case "min" | "max":
            largest = request.function == "max"
            return lambda f, l, lows, highs: kernel.extremes(values, valid, largest, at, asks, f, l, lows, highs, rows, integers), Result(integers)
        case "first" | "last":
            newest = request.function == "last"
            return lambda f, l, lows, highs: kernel.ends_of_ranges(valid, newest, at, asks, f, l, lows, highs, rows, integers), Result(integers)
    before, after = kernel.occurrences(values, at, int(values.max(initial=-1)) + 1)
    return lambda f, l, lows, highs: kernel.distinct(values, before, after, at, asks, f, l, lows, highs, rows, integers), Result(integers)


def _of_events(function: str, ordered: Ordered, out: Array) -> Call:
    # Without a value: how many events there are, or which is the newest.
    def call(first: int, last: int, lows: Array, highs: Array) -> None:
        rows = ordered.asks[ordered.asks_at[first] : ordered.asks_at[last]]
        out[:, rows] = highs - lows if function == "count" else np.where(highs > lows, highs - 1, -1)

    return call


def _refuse_overflow(values: Array, events_at: Array) -> None:
    if not len(values):
        return
    largest = max(abs(int(values.max())), abs(int(values.min())))
    if largest * int(np.diff(events_at).max(initial=0)) > _INT64:
        raise RunError.of("E6205", f"a sum of integers as large as {largest} may not fit into 64 bits", help="cast the value to float64")
