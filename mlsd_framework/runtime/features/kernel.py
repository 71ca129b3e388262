"""The window kernel: aggregates of ordered events over ranges of them, compiled by numba; arrays in, arrays out.

Events are sorted by (key, time, tie) and questions by (key, as_of); key k owns events `events_at[k]:events_at[k + 1]`
and questions `asks_at[k]:asks_at[k + 1]`. `find_ranges` turns every question into one range of events a window; every
other function aggregates one column over those ranges in O(events + questions) a window. They work on keys `first` up
to `last`, hold no state between calls and release the GIL, so that keys may be spread over threads with the same
result. Results go to `out[window, rows[question]]`.
"""

import numpy as np

from mlsd_framework.runtime.features.compiled import Array, Flags, Integers, Ranges, compiled


@compiled
def group_by_code(codes: Integers, number: int) -> tuple[Integers, Integers]:
    """Sort positions by code, keeping their order within a code: offsets (number + 1) and the order.

    Codes outside 0..number-1 are left out.
    """
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


@compiled
def find_ranges(times: Integers, ends: Integers, widths: Integers, resolution: int, ranges: Ranges) -> None:
    """Write for each question the first event of each window (`lows`) and the first event after all of them (`highs`).

    `ends` are the windows' ends, `widths` their lengths (negative: lifetime), in microseconds; with a `resolution`
    above 0 windows begin at a multiple of it.
    """
    events_at, asks_at, first, last, lows, highs, _ = ranges
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
                    if resolution:
                        start -= start % resolution
                    while low < high and times[low] < start:
                        low += 1
                lows[window, ask - base] = low


@compiled
def count_valid(valid: Flags, ranges: Ranges, out: Array) -> None:
    """Count the events of each range whose value is not null."""
    events_at, asks_at, first, last, lows, highs, rows = ranges
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


@compiled
def extremes(values: Array, valid: Flags, largest: bool, ranges: Ranges, out: Array) -> None:  # noqa: FBT001 - compiled code takes positions
    """Write the event that holds each range's smallest (or `largest`) value, by a monotonic queue.

    It is -1 where there is none.
    """
    events_at, asks_at, first, last, lows, highs, rows = ranges
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
                        while tail > head and (
                            values[queue[tail - 1]] <= x if largest else values[queue[tail - 1]] >= x
                        ):
                            tail -= 1
                        queue[tail] = high
                        tail += 1
                    high += 1
                while head < tail and queue[head] < lows[window, ask - base]:
                    head += 1
                out[window, rows[ask]] = queue[head] if head < tail else -1


@compiled
def ends_of_ranges(valid: Flags, newest: bool, ranges: Ranges, out: Array) -> None:  # noqa: FBT001 - compiled code takes positions
    """Write the first (or `newest`) event of each range whose value is not null, -1 where there is none."""
    events_at, asks_at, first, last, lows, highs, rows = ranges
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


@compiled
def occurrences(codes: Integers, events_at: Integers, number: int) -> tuple[Integers, Integers]:
    """Return for each event its neighbours: the events of its key with the same value code before and after it.

    Where there is none it is -1 before, and the number of events after.
    """
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


@compiled
def distinct(codes: Integers, before: Integers, after: Integers, ranges: Ranges, out: Array) -> None:
    """Write the number of different values in each range, exactly.

    A value enters with its first event in it and leaves with its last.
    """
    events_at, asks_at, first, last, lows, highs, rows = ranges
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
