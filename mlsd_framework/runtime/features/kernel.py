"""The window kernel: aggregates of ordered events over ranges of them, compiled by numba; arrays in, arrays out.

Events are sorted by (key, time, tie) and questions by (key, as_of); key k owns events `events_at[k]:events_at[k + 1]` and questions
`asks_at[k]:asks_at[k + 1]`. `ranges` turns every question into one range of events a window; every other function aggregates one column over
those ranges in O(events + questions) a window. They work on keys `first` up to `last`, hold no state between calls and release the GIL, so that
keys may be spread over threads with the same result. Results go to `out[window, rows[question]]`.
"""

import math

import numpy as np
from numba import njit

_compiled = njit(cache=True, nogil=True)

_PARTIALS = 128  # non-overlapping doubles: at most (1024 + 1074) / 53 of them are needed
_SUM_TOLERANCE = 1e-13
_DEVIATION_TOLERANCE = 1e-11
_DD_ROUNDING = 2.0**-100
_SQUARES = (1e-200, 1e280)  # sums of squares outside may have overflowed or lost digits


@_compiled
def ranges(times, ends, widths, events_at, asks_at, first, last, lows, highs):
    """Write for each question the first event of each window (`lows[window, question - base]`) and the first event after them (`highs`).

    `ends` are the windows' ends, `widths` their lengths (negative: lifetime), in microseconds; base is `asks_at[first]`.
    """
    base = asks_at[first]
    for key in range(first, last):
        begin, stop = events_at[key], events_at[key + 1]
        high = begin
        for ask in range(asks_at[key], asks_at[key + 1]):
            while high < stop and times[high] < ends[ask]:
                high += 1
            highs[ask - base] = high
        for window in range(len(widths)):
            low = begin
            for ask in range(asks_at[key], asks_at[key + 1]):
                if widths[window] >= 0:
                    high = highs[ask - base]
                    start = ends[ask] - widths[window]
                    while low < high and times[low] < start:
                        low += 1
                lows[window, ask - base] = low


@_compiled
def group_by_code(codes, number):
    """Sort positions by code, keeping their order within a code: offsets (number + 1) and the order; codes outside 0..number-1 are left out."""
    at = np.zeros(number + 1, np.int64)
    for code in codes:
        if 0 <= code < number:
            at[code + 1] += 1
    for code in range(number):
        at[code + 1] += at[code]
    free = at[:-1].copy()
    order = np.empty(at[number], np.int64)
    for position in range(len(codes)):
        code = codes[position]
        if 0 <= code < number:
            order[free[code]] = position
            free[code] += 1
    return at, order


@_compiled
def count_valid(valid, events_at, asks_at, first, last, lows, highs, rows, out):
    """Count the events of each range whose value is not null."""
    base = asks_at[first]
    for window in range(lows.shape[0]):
        for key in range(first, last):
            low = high = events_at[key]
            number = 0
            for ask in range(asks_at[key], asks_at[key + 1]):
                while high < highs[ask - base]:
                    number += valid[high]
                    high += 1
                while low < lows[window, ask - base]:
                    number -= valid[low]
                    low += 1
                out[window, rows[ask]] = number


@_compiled
def _two_sum(a, b):
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@_compiled
def _two_square(a):
    # Dekker: the square of a double as two doubles.
    square = a * a
    c = 134217729.0 * a
    high = c - (c - a)
    low = a - high
    return square, ((high * high - square) + 2.0 * high * low) + low * low


@_compiled
def _dd_add(high, low, x):
    # (high, low) + x, and what is lost by keeping two doubles.
    total, error = _two_sum(high, x)
    rest, lost = _two_sum(error, low)
    total, rest = _two_sum(total, rest)
    return total, rest, lost


@_compiled
def _dd_subtract(a_high, a_low, b_high, b_low):
    total, error = _two_sum(a_high, -b_high)
    rest, rest_error = _two_sum(a_low, -b_low)
    total, error = _two_sum(total, error + rest)
    return _two_sum(total, error + rest_error)


@_compiled
def exact_sum(values, valid, low, high):
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
            total, error = _two_sum(x, y)
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


@_compiled
def sums_float(values, valid, events_at, asks_at, first, last, lows, highs, rows, out, numbers):
    """Write sums and numbers of values, by prefix sums in double-double with a running account of what they lose.

    Where that account says a range's sum may be off, or an infinity is in it, the range is summed by itself.
    """
    base = asks_at[first]
    longest = 0
    for key in range(first, last):
        longest = max(longest, events_at[key + 1] - events_at[key])
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
            high[i + 1], low[i + 1], error = _dd_add(high[i], low[i], x)
            lost[i + 1] = lost[i] + abs(error)
            if error != 0.0 and lost[i + 1] == lost[i]:
                lost[i + 1] = np.nextafter(lost[i], np.inf)
        for window in range(lows.shape[0]):
            for ask in range(asks_at[key], asks_at[key + 1]):
                a, b = lows[window, ask - base] - begin, highs[ask - base] - begin
                numbers[window, rows[ask]] = number[b] - number[a]
                total, rest = _dd_subtract(high[b], low[b], high[a], low[a])
                sure = lost[b] - lost[a] <= _SUM_TOLERANCE * abs(total)
                if infinite[b] != infinite[a] or not sure:
                    total, rest = exact_sum(values, valid, begin + a, begin + b), 0.0
                out[window, rows[ask]] = total + rest


@_compiled
def sums_integer(values, valid, events_at, asks_at, first, last, lows, highs, rows, out, numbers):
    """Write exact sums and numbers of int64 values; prefix sums may wrap, their differences are right while the range's sum fits."""
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


@_compiled
def _two_pass_deviation(values, valid, low, high, number):
    # Scaled by a power of two, so that no square overflows or vanishes.
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


@_compiled
def _dd_deviation(s1, r1, s2, r2, number):
    # Squares less square of the sum over n, all in double-double.
    square, error = _two_square(s1)
    error += 2.0 * s1 * r1
    mean = square / number
    # what the division left: square - mean * number is exact enough after splitting
    product, product_error = _two_product(mean, float(number))
    mean_error = ((square - product) - product_error + error) / number
    total, rest = _dd_subtract(s2, r2, mean, mean_error)
    return total + rest


@_compiled
def _two_product(a, b):
    product = a * b
    c = 134217729.0 * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = 134217729.0 * b
    b_high = c - (c - b)
    b_low = b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@_compiled
def deviations(values, valid, events_at, asks_at, first, last, lows, highs, rows, out):
    """Write sample standard deviations (NaN for fewer than two values, or an infinite one).

    By prefix sums of the values less the key's first, and of their squares, in double-double; a range too flat for those is computed in two passes.
    """
    base = asks_at[first]
    longest = 0
    for key in range(first, last):
        longest = max(longest, events_at[key + 1] - events_at[key])
    sum_high, sum_low, square_high, square_low = np.empty(longest + 1), np.empty(longest + 1), np.empty(longest + 1), np.empty(longest + 1)
    number, infinite, changed = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)
    for key in range(first, last):
        if asks_at[key] == asks_at[key + 1]:
            continue
        begin, stop = events_at[key], events_at[key + 1]
        sum_high[0] = sum_low[0] = square_high[0] = square_low[0] = 0.0
        number[0] = infinite[0] = changed[0] = 0
        shift = previous = math.nan
        for i in range(stop - begin):
            x = values[begin + i]
            skip = not valid[begin + i]
            number[i + 1] = number[i] + (0 if skip else 1)
            unbounded = not skip and math.isinf(x)
            infinite[i + 1] = infinite[i] + (1 if unbounded else 0)
            changed[i + 1] = changed[i]
            if not skip:
                if number[i] > 0 and x != previous:
                    changed[i + 1] = number[i]  # the value number[i] (from 0) is the first of its run
                previous = x
            d = error = square = square_error = 0.0
            if not skip and not unbounded:
                if math.isnan(shift):
                    shift = x
                d, error = _two_sum(x, -shift)
                square, square_error = _two_square(d)
                square_error += 2.0 * d * error
            sum_high[i + 1], sum_low[i + 1], _ = _dd_add(sum_high[i], sum_low[i] + error, d)
            square_high[i + 1], square_low[i + 1], _ = _dd_add(square_high[i], square_low[i] + square_error, square)
        for window in range(lows.shape[0]):
            for ask in range(asks_at[key], asks_at[key + 1]):
                a, b = lows[window, ask - base] - begin, highs[ask - base] - begin
                n = number[b] - number[a]
                result = math.nan
                if n >= 2 and infinite[b] == infinite[a]:
                    if changed[b] <= number[a]:
                        result = 0.0
                    else:
                        s1, r1 = _dd_subtract(sum_high[b], sum_low[b], sum_high[a], sum_low[a])
                        s2, r2 = _dd_subtract(square_high[b], square_low[b], square_high[a], square_low[a])
                        m2 = _dd_deviation(s1, r1, s2, r2, n)
                        sound = _SQUARES[0] < m2 and square_high[b] < _SQUARES[1]
                        if sound and _DD_ROUNDING * b * math.sqrt(b) * square_high[b] <= _DEVIATION_TOLERANCE * m2:
                            result = math.sqrt(m2 / (n - 1))
                        else:
                            result = _two_pass_deviation(values, valid, begin + a, begin + b, n)
                out[window, rows[ask]] = result


@_compiled
def extremes(values, valid, largest, events_at, asks_at, first, last, lows, highs, rows, out):
    """Write the event that holds each range's smallest (or `largest`) value, -1 where there is none, by a monotonic queue."""
    base = asks_at[first]
    longest = 0
    for key in range(first, last):
        longest = max(longest, events_at[key + 1] - events_at[key])
    queue = np.empty(longest, np.int64)
    for window in range(lows.shape[0]):
        for key in range(first, last):
            head = tail = 0
            high = events_at[key]
            for ask in range(asks_at[key], asks_at[key + 1]):
                while high < highs[ask - base]:
                    if valid[high]:
                        x = values[high]
                        while tail > head and (values[queue[tail - 1]] <= x if largest else values[queue[tail - 1]] >= x):
                            tail -= 1
                        queue[tail] = high
                        tail += 1
                    high += 1
                while head < tail and queue[head] < lows[window, ask - base]:
                    head += 1
                out[window, rows[ask]] = queue[head] if head < tail else -1


@_compiled
def ends_of_ranges(valid, newest, events_at, asks_at, first, last, lows, highs, rows, out):
    """Write the first (or `newest`) event of each range whose value is not null, -1 where there is none."""
    base = asks_at[first]
    for key in range(first, last):
        if asks_at[key] == asks_at[key + 1]:
            continue
        begin, stop = events_at[key], events_at[key + 1]
        near = np.empty(stop - begin + 1, np.int64)
        if newest:  # near[i]: the last valid event before begin + i
            near[0] = -1
            for i in range(stop - begin):
                near[i + 1] = begin + i if valid[begin + i] else near[i]
        else:  # near[i]: the first valid event from begin + i on
            near[stop - begin] = stop
            for i in range(stop - begin - 1, -1, -1):
                near[i] = begin + i if valid[begin + i] else near[i + 1]
        for window in range(lows.shape[0]):
            for ask in range(asks_at[key], asks_at[key + 1]):
                a, b = lows[window, ask - base], highs[ask - base]
                event = near[b - begin] if newest else near[a - begin]
                out[window, rows[ask]] = event if a <= event < b else -1


@_compiled
def occurrences(codes, events_at, number):
    """Return for each event the previous (-1: none) and the next (past the end: none) event of its key with the same value code."""
    seen = np.full(number, -1, np.int64)
    before = np.full(len(codes), -1, np.int64)
    after = np.full(len(codes), len(codes), np.int64)
    for key in range(len(events_at) - 1):
        begin = events_at[key]
        for event in range(begin, events_at[key + 1]):
            code = codes[event]
            if code < 0:
                continue
            if seen[code] >= begin:  # an older one belongs to another key
                before[event] = seen[code]
                after[seen[code]] = event
            seen[code] = event
    return before, after


@_compiled
def distinct(codes, before, after, events_at, asks_at, first, last, lows, highs, rows, out):
    """Write the number of different values in each range, exactly: a value enters with its first event in it and leaves with its last."""
    base = asks_at[first]
    for window in range(lows.shape[0]):
        for key in range(first, last):
            low = high = events_at[key]
            number = 0
            for ask in range(asks_at[key], asks_at[key + 1]):
                while high < highs[ask - base]:
                    if codes[high] >= 0 and before[high] < low:
                        number += 1
                    high += 1
                while low < lows[window, ask - base]:
                    if codes[low] >= 0 and after[low] >= high:
                        number -= 1
                    low += 1
                out[window, rows[ask]] = number
