"""Runs the window kernel over ordered events, keys spread over threads; arrays in, arrays out, no frames."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features import kernel, lists, sums
from mlsd_framework.runtime.features.compiled import Array, Ranges
from mlsd_framework.runtime.features.decay import decayed_ranges
from mlsd_framework.runtime.features.ordering import Ordered
from mlsd_framework.runtime.features.sketch import estimate_ranges

_CHUNK = 1 << 16  # events and questions that one call of the kernel works on: their ranges stay in the cache
_INT64 = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Values:
    """A value column in the events' order: float64, int64, or codes of what is neither.

    `valid` is false where the value is null.
    """

    values: Array
    valid: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Request:
    """What to compute over one column.

    `count`, `sum` (mean is made of it), `std`, `min`, `max`, `first`, `last`, `count_distinct`, `decayed`, `last_n` or
    `top_k`. `parameter` is a half-life in microseconds or a number of values; with `hashes` a number of different
    values above `parameter` is estimated.
    """

    function: str
    column: Values | None
    parameter: int = 0
    hashes: Values | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came out, [window, question]: numbers, or the events (-1: none) that hold them.

    `numbers` of values beside a sum, or of items beside lists ([window, question, place]).
    """

    out: Array
    numbers: Array | None = None


Call = Callable[[Ranges], None]


def evaluate(
    ordered: Ordered,
    widths: Sequence[int],
    requests: Sequence[Request],
    *,
    resolution: int = 0,
    threads: int | None = None,
) -> list[Result]:
    """Compute every request for every window and question, in the questions' own order.

    `widths` are the windows' lengths in microseconds, negative for a lifetime. Each key is computed by one thread, so
    the number of threads does not change the result.
    """
    prepared = [_prepare(request, ordered, len(widths)) for request in requests]
    lengths = np.asarray(widths, np.int64)

    def work(chunk: tuple[int, int]) -> None:
        first, last = chunk
        asked = int(ordered.asks_at[last] - ordered.asks_at[first])
        if not asked:
            return
        lows, highs = np.empty((len(widths), asked), np.int64), np.empty(asked, np.int64)
        ranges = Ranges(ordered.events_at, ordered.asks_at, first, last, lows, highs, ordered.asks)
        kernel.find_ranges(ordered.times, ordered.ends, lengths, resolution, ranges)
        for call, _ in prepared:
            call(ranges)

    chunks = _chunks(ordered)
    number = min(threads or _processors(), len(chunks))
    if number <= 1:
        for chunk in chunks:
            work(chunk)
    else:
        with ThreadPoolExecutor(number) as pool:
            list(pool.map(work, chunks))
    return [result for _, result in prepared]


def _processors() -> int:
    # Those that this process may use, where the system says.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _chunks(ordered: Ordered) -> list[tuple[int, int]]:
    load = ordered.events_at + ordered.asks_at
    cuts = np.searchsorted(load, np.arange(0, int(load[-1]), _CHUNK)[1:])
    edges = np.unique(np.concatenate(([0], cuts, [len(load) - 1])))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _prepare(request: Request, ordered: Ordered, windows: int) -> tuple[Call, Result]:  # noqa: PLR0911 - one a kind of result
    shape = (windows, len(ordered.asks))
    integers = np.empty(shape, np.int64)
    column = request.column
    if column is None:
        return _of_events(request.function, integers), Result(integers)
    values, valid = column.values, column.valid
    match request.function:
        case "sum" if values.dtype == np.int64:
            _refuse_overflow(values, ordered.events_at)
            totals = np.empty(shape, np.int64)
            return lambda ranges: sums.sums_integer(values, valid, ranges, totals, integers), Result(totals, integers)
        case "sum":
            floats = np.empty(shape)
            return lambda ranges: sums.sums_float(values, valid, ranges, floats, integers), Result(floats, integers)
        case "std":
            numbers, out = values.astype(np.float64, copy=False), np.empty(shape)
            return lambda ranges: sums.deviations(numbers, valid, ranges, out), Result(out)
        case "decayed":
            numbers, both, half_life = values.astype(np.float64, copy=False), np.empty((2, *shape)), request.parameter
            times, ends = ordered.times, ordered.ends
            return lambda ranges: decayed_ranges(times, ends, numbers, valid, half_life, ranges, both), Result(both)
        case "last_n" | "top_k":
            chosen = np.empty((*shape, request.parameter), np.int64)
            return _of_lists(request.function, column, chosen, integers), Result(chosen, integers)
    return _of_positions(request, column, ordered, integers), Result(integers)


def _of_lists(function: str, column: Values, chosen: Array, numbers: Array) -> Call:
    values, valid = column.values, column.valid
    if function == "last_n":
        return lambda ranges: lists.newest(valid, ranges, chosen, numbers)
    return lambda ranges: lists.most_frequent(values, valid, ranges, chosen, numbers)


def _of_positions(request: Request, column: Values, ordered: Ordered, out: Array) -> Call:
    # What comes out as integers: numbers of values, or which event holds the one that is asked for.
    function, values, valid = request.function, column.values, column.valid
    match function:
        case "count":
            return lambda ranges: kernel.count_valid(valid, ranges, out)
        case "min" | "max":
            return lambda ranges: kernel.extremes(values, valid, function == "max", ranges, out)
        case "first" | "last":
            return lambda ranges: kernel.ends_of_ranges(valid, function == "last", ranges, out)
    before, after = kernel.occurrences(values, ordered.events_at, int(values.max(initial=-1)) + 1)
    hashes, largest = request.hashes, request.parameter

    def distinct(ranges: Ranges) -> None:
        kernel.distinct(values, before, after, ranges, out)
        if hashes is not None:
            estimate_ranges(hashes.values, hashes.valid, largest, ranges, out)

    return distinct


def _of_events(function: str, out: Array) -> Call:
    # Without a value: how many events there are, or which is the first or the newest.
    def call(ranges: Ranges) -> None:
        rows = ranges.rows[ranges.asks_at[ranges.first] : ranges.asks_at[ranges.last]]
        lows, highs = ranges.lows, ranges.highs
        if function == "count":
            out[:, rows] = highs - lows
        else:
            out[:, rows] = np.where(highs > lows, lows if function == "first" else highs - 1, -1)

    return call


def _refuse_overflow(values: Array, events_at: Array) -> None:
    if not len(values):
        return
    largest = max(abs(int(values.max())), abs(int(values.min())))
    if largest * int(np.diff(events_at).max(initial=0)) > _INT64:
        raise RunError.of(
            "E6205",
            f"a sum of integers as large as {largest} may not fit into 64 bits",
            help="cast the value to float64",
        )
