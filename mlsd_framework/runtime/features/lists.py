"""The window kernel's lists: for each question and window the events whose values a list holds; compiled by numba.

The events go to `chosen[window, question, place]`, how many there are to `numbers[window, question]`.
"""

import numpy as np

from mlsd_framework.runtime.features.compiled import Array, Flags, Integers, Ranges, compiled


@compiled
def newest(valid: Flags, ranges: Ranges, chosen: Integers, numbers: Integers) -> None:
    """Choose the newest events whose value is not null, newest first."""
    _, asks_at, first, last, lows, highs, rows = ranges
    base, longest = asks_at[first], chosen.shape[2]
    for window in range(lows.shape[0]):
        for ask in range(base, asks_at[last]):
            found = 0
            event = highs[ask - base] - 1
            while event >= lows[window, ask - base] and found < longest:
                if valid[event]:
                    chosen[window, rows[ask], found] = event
                    found += 1
                event -= 1
            numbers[window, rows[ask]] = found


@compiled
def most_frequent(values: Array, valid: Flags, ranges: Ranges, chosen: Integers, numbers: Integers) -> None:
    """Choose an event of each of the most frequent values, most frequent first, of equally frequent the smallest."""
    _, asks_at, first, last, lows, highs, rows = ranges
    base = asks_at[first]
    for window in range(lows.shape[0]):
        for ask in range(base, asks_at[last]):
            events, counts = tally(values, valid, lows[window, ask - base], highs[ask - base])
            best = chosen[window, rows[ask]]
            found = largest(counts, len(best), best)
            for place in range(found):
                best[place] = events[best[place]]
            numbers[window, rows[ask]] = found


@compiled
def tally(values: Array, valid: Flags, low: int, high: int) -> tuple[Integers, Integers]:
    """Return an event of each different value of a range, smallest value first, and how often each comes."""
    events = np.empty(high - low, np.int64)
    number = 0
    for event in range(low, high):
        if valid[event]:
            events[number] = event
            number += 1
    order = np.argsort(values[events[:number]], kind="mergesort")
    counts, firsts = np.empty(number, np.int64), np.empty(number, np.int64)
    different = 0
    for position in range(number):
        event = events[order[position]]
        if different and values[event] == values[firsts[different - 1]]:
            counts[different - 1] += 1
        else:
            firsts[different], counts[different] = event, 1
            different += 1
    return firsts[:different], counts[:different]


@compiled
def largest(counts: Integers, number: int, chosen: Integers) -> int:
    """Write the positions of the `number` largest counts, largest first, of equal ones the first; return how many."""
    found = 0
    for position in range(len(counts)):
        place = found
        while place > 0 and counts[chosen[place - 1]] < counts[position]:
            place -= 1
        if place < number:
            found = min(found + 1, number)
            for later in range(found - 1, place, -1):
                chosen[later] = chosen[later - 1]
            chosen[place] = position
    return found
