"""The window kernel's sums and standard deviations, right to nine digits whatever came before a window."""

import math

import numpy as np

from mlsd_framework.runtime.features.compiled import Array, Flags, Integers, Ranges, compiled
from mlsd_framework.runtime.features.doubles import dd_add, dd_subtract, exact_sum, two_product, two_square, two_sum

_SUM_TOLERANCE = 1e-13
_DEVIATION_TOLERANCE = 1e-11
_DD_ROUNDING = 2.0**-100
_SQUARES = (1e-200, 1e280)  # sums of squares outside may have overflowed or lost digits


@compiled
def longest_key(events_at: Integers, first: int, last: int) -> int:
    """Return the number of events of the key that has the most."""
    longest = 0
    for key in range(first, last):
        longest = max(longest, events_at[key + 1] - events_at[key])
    return longest


@compiled
def sums_float(values: Array, valid: Flags, ranges: Ranges, out: Array, numbers: Integers) -> None:
    """Write sums and numbers of values, by prefix sums in double-double with a running account of what they lose.

    Where that account says a range's sum may be off, or an infinity is in it, the range is summed by itself.
    """
    events_at, asks_at, first, last, lows, highs, rows = ranges
    base = asks_at[first]
    longest = longest_key(events_at, first, last)
    high, low, lost = np.empty(longest + 1), np.empty(longest + 1), np.empty(longest + 1)
    number, infinite = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)
    for key in range(first, last):
        begin, stop = events_at[key], events_at[key + 1]
        high[0] = low[0] = lost[0] = 0.0
        number[0] = infinite[0] = 0
        if asks_at[key] == asks_at[key + 1]:
            continue
        for i in range(stop - begin):
            x = values[begin + i]
            skip = not valid[begin + i]
            number[i + 1] = number[i] + (0 if skip else 1)
            unbounded = not skip and math.isinf(x)
            infinite[i + 1] = infinite[i] + (1 if unbounded else 0)
            if skip or unbounded:
                x = 0.0
            high[i + 1], low[i + 1], error = dd_add(high[i], low[i], x)
            lost[i + 1] = lost[i] + abs(error)
            if error != 0.0 and lost[i + 1] == lost[i]:
                lost[i + 1] = np.nextafter(lost[i], np.inf)
        for window in range(lows.shape[0]):
            for ask in range(asks_at[key], asks_at[key + 1]):
                a, b = lows[window, ask - base] - begin, highs[ask - base] - begin
                numbers[window, rows[ask]] = number[b] - number[a]
                total, rest = dd_subtract(high[b], low[b], high[a], low[a])
                sure = lost[b] - lost[a] <= _SUM_TOLERANCE * abs(total)
                if infinite[b] != infinite[a] or not sure:
                    total, rest = exact_sum(values, valid, begin + a, begin + b), 0.0
                out[window, rows[ask]] = total + rest


@compiled
def sums_integer(values: Array, valid: Flags, ranges: Ranges, out: Array, numbers: Integers) -> None:
    """Write exact sums and numbers of int64 values.

    Prefix sums may wrap, their differences are right while the range's sum fits.
    """
    events_at, asks_at, first, last, lows, highs, rows = ranges
    base = asks_at[first]
    for window in range(lows.shape[0]):
        for key in range(first, last):
            low = high = events_at[key]
            total = number = 0
            for ask in range(asks_at[key], asks_at[key + 1]):
                while high < highs[ask - base]:
                    if valid[high]:
                        total += values[high]
                        number += 1
                    high += 1
                while low < lows[window, ask - base]:
                    if valid[low]:
                        total -= values[low]
                        number -= 1
                    low += 1
                out[window, rows[ask]] = total
                numbers[window, rows[ask]] = number


@compiled
def two_pass_deviation(values: Array, valid: Flags, low: int, high: int, number: int) -> float:
    """Return the sample standard deviation of a range of `number` finite values, two or more.

    It is scaled by a power of two, so that no square overflows or vanishes.
    """
    mean = exact_sum(values, valid, low, high) / number
    largest = 0.0
    for position in range(low, high):
        if valid[position]:
            largest = max(largest, abs(values[position] - mean))
    if largest == 0.0:
        return 0.0
    _, power = math.frexp(largest)
    squares = rest = 0.0
    for position in range(low, high):
        if valid[position]:
            d = math.ldexp(values[position] - mean, -power)
            squares += d * d
            rest += d
    return math.ldexp(math.sqrt(max(squares - rest * rest / number, 0.0) / (number - 1)), power)


@compiled
def _dd_deviation(s1: float, r1: float, s2: float, r2: float, number: int) -> float:
    # Squares less square of the sum over n, all in double-double.
    square, error = two_square(s1)
    error += 2.0 * s1 * r1
    mean = square / number
    # what the division left: square - mean * number is exact enough after splitting
    product, product_error = two_product(mean, float(number))
    mean_error = ((square - product) - product_error + error) / number
    total, rest = dd_subtract(s2, r2, mean, mean_error)
    return total + rest


@compiled
def _shifted_sums(values: Array, valid: Flags, begin: int, stop: int, floats: Array, integers: Integers) -> None:
    # Prefix sums of one key, of values less its first and of their squares: `floats` holds both as (high, low) pairs;
    # `integers` how many values there are, how many are infinite, and which of them (from 0) began the current run.
    floats[:, 0] = 0.0
    integers[:, 0] = 0
    shift = previous = math.nan
    for i in range(stop - begin):
        x = values[begin + i]
        integers[:, i + 1] = integers[:, i]
        d = error = square = square_error = 0.0
        if valid[begin + i]:
            if integers[0, i] > 0 and x != previous:
                integers[2, i + 1] = integers[0, i]
            previous = x
            integers[0, i + 1] += 1
            if math.isinf(x):
                integers[1, i + 1] += 1
            else:
                if math.isnan(shift):
                    shift = x
                d, error = two_sum(x, -shift)
                square, square_error = two_square(d)
                square_error += 2.0 * d * error
        floats[0, i + 1], floats[1, i + 1], _ = dd_add(floats[0, i], floats[1, i] + error, d)
        floats[2, i + 1], floats[3, i + 1], _ = dd_add(floats[2, i], floats[3, i] + square_error, square)


@compiled
def deviations(values: Array, valid: Flags, ranges: Ranges, out: Array) -> None:
    """Write sample standard deviations (NaN for fewer than two values, or an infinite one).

    By prefix sums of the values less the key's first, and of their squares, in double-double; a range too flat for
    those is computed in two passes.
    """
    events_at, asks_at, first, last, lows, highs, rows = ranges
    base = asks_at[first]
    longest = longest_key(events_at, first, last)
    floats, integers = np.empty((4, longest + 1)), np.empty((3, longest + 1), np.int64)
    for key in range(first, last):
        if asks_at[key] == asks_at[key + 1]:
            continue
        begin = events_at[key]
        _shifted_sums(values, valid, begin, events_at[key + 1], floats, integers)
        for window in range(lows.shape[0]):
            for ask in range(asks_at[key], asks_at[key + 1]):
                a, b = lows[window, ask - base] - begin, highs[ask - base] - begin
                out[window, rows[ask]] = _deviation(values, valid, begin, a, b, floats, integers)


@compiled
def _deviation(values: Array, valid: Flags, begin: int, a: int, b: int, floats: Array, integers: Integers) -> float:
    number = integers[0, b] - integers[0, a]
    if number <= 1 or integers[1, b] != integers[1, a]:
        return math.nan
    if integers[2, b] <= integers[0, a]:  # one run: all values are the same
        return 0.0
    s1, r1 = dd_subtract(floats[0, b], floats[1, b], floats[0, a], floats[1, a])
    s2, r2 = dd_subtract(floats[2, b], floats[3, b], floats[2, a], floats[3, a])
    m2 = _dd_deviation(s1, r1, s2, r2, number)
    sound = _SQUARES[0] < m2 and floats[2, b] < _SQUARES[1]
    if sound and _DD_ROUNDING * b * math.sqrt(b) * floats[2, b] <= _DEVIATION_TOLERANCE * m2:
        return math.sqrt(m2 / (number - 1))
    return two_pass_deviation(values, valid, begin + a, begin + b, number)
