"""Sums that lose nothing worth having: two doubles for one number, and Shewchuk's exact sum; compiled by numba."""

import math

import numpy as np

from mlsd_framework.runtime.features.compiled import Array, Flags, Pair, compiled

_PARTIALS = 128  # non-overlapping doubles: at most (1024 + 1074) / 53 of them are needed


@compiled
def two_sum(a: float, b: float) -> Pair:
    """Return a + b as a double and what its rounding left."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@compiled
def two_square(a: float) -> Pair:
    """Return the square of a double as two doubles (Dekker)."""
    square = a * a
    c = 134217729.0 * a
    high = c - (c - a)
    low = a - high
    return square, ((high * high - square) + 2.0 * high * low) + low * low


@compiled
def two_product(a: float, b: float) -> Pair:
    """Return a * b as two doubles (Dekker)."""
    product = a * b
    c = 134217729.0 * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = 134217729.0 * b
    b_high = c - (c - b)
    b_low = b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@compiled
def dd_add(high: float, low: float, x: float) -> tuple[float, float, float]:
    """Return (high, low) + x as two doubles, and what is lost by keeping two."""
    total, error = two_sum(high, x)
    rest, lost = two_sum(error, low)
    total, rest = two_sum(total, rest)
    return total, rest, lost


@compiled
def dd_subtract(a_high: float, a_low: float, b_high: float, b_low: float) -> Pair:
    """Return the difference of two numbers of two doubles each."""
    total, error = two_sum(a_high, -b_high)
    rest, rest_error = two_sum(a_low, -b_low)
    total, error = two_sum(total, error + rest)
    return two_sum(total, error + rest_error)


@compiled
def exact_sum(values: Array, valid: Flags, low: int, high: int) -> float:
    """Sum values correctly rounded or next to it, whatever their sizes (Shewchuk's partials, as `math.fsum`)."""
    partials = np.empty(_PARTIALS)
    number = 0
    plain = 0.0
    for position in range(low, high):
        if not valid[position]:
            continue
        x = values[position]
        plain += x
        kept = 0
        for index in range(number):
            y = partials[index]
            total, error = two_sum(x, y)
            if error != 0.0:
                partials[kept] = error
                kept += 1
            x = total
        partials[kept] = x
        number = min(kept + 1, _PARTIALS - 1)
    result = 0.0
    for index in range(number):  # from the smallest
        result += partials[index]
    return plain if math.isnan(result) else result
