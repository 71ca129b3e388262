"""Sums in which an event counts half after each half-life; compiled by numba.

A decayed sum is kept as of its newest event, so that nothing vanishes however long ago that was: `total` and `weights`
belong to the time `newest`.
"""

from typing import NamedTuple

import numpy as np

from mlsd_framework.runtime.features.compiled import Array, Flags, Integers, Pair, Ranges, compiled


class Decayed(NamedTuple):
    """The decayed sum of some values, the sum of their weights, both as of the newest of them, and their number."""

    total: float
    weights: float
    newest: int
    number: int


@compiled
def decayed(times: Integers, values: Array, valid: Flags, low: int, high: int, half_life: int) -> Decayed:
    """Sum the values of a range that are not null; times and `half_life` are microseconds."""
    last = high - 1
    while last >= low and not valid[last]:
        last -= 1
    total = total_rest = weights = weights_rest = 0.0
    number = 0
    for event in range(low, last + 1):
        if valid[event]:
            weight = 2.0 ** (-(times[last] - times[event]) / half_life)
            total, total_rest = plus(total, total_rest, weight * values[event])
            weights, weights_rest = plus(weights, weights_rest, weight)
            number += 1
    return Decayed(total + total_rest, weights + weights_rest, times[last] if number else 0, number)


@compiled
def merged(a: Decayed, b: Decayed, half_life: int) -> Decayed:
    """Join two decayed sums."""
    if a.number == 0 or b.number == 0:
        return a if b.number == 0 else b
    newest = max(a.newest, b.newest)
    x = 2.0 ** (-(newest - a.newest) / half_life)
    y = 2.0 ** (-(newest - b.newest) / half_life)
    return Decayed(x * a.total + y * b.total, x * a.weights + y * b.weights, newest, a.number + b.number)


@compiled
def plus(total: float, rest: float, x: float) -> Pair:
    """Add to a sum and to what its rounding left (Neumaier)."""
    new = total + x
    if np.isfinite(new):
        rest += (total - new) + x if abs(total) >= abs(x) else (x - new) + total
    return new, rest


@compiled
def decayed_ranges(
    times: Integers, ends: Integers, values: Array, valid: Flags, half_life: int, ranges: Ranges, out: Array
) -> None:
    """Write for each question and window the decayed sum as of its end, and the decayed mean, NaN where it is empty.

    `out` is [2, window, question].
    """
    _, asks_at, first, last, lows, highs, rows = ranges
    base = asks_at[first]
    for window in range(lows.shape[0]):
        for ask in range(base, asks_at[last]):
            total = decayed(times, values, valid, lows[window, ask - base], highs[ask - base], half_life)
            worth = 2.0 ** (-(ends[ask] - total.newest) / half_life) if total.number else np.nan
            out[0, window, rows[ask]] = total.total * worth
            out[1, window, rows[ask]] = total.total / total.weights if total.number else np.nan
