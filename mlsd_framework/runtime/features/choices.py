"""Which events of a range a list is made of: the newest values, and the most frequent; compiled by numba."""

import numpy as np

from mlsd_framework.runtime.features.compiled import Array, Flags, Integers, compiled


@compiled
def newest(valid: Flags, low: int, high: int, number: int, chosen: Integers) -> int:
    """Write the newest `number` events of a range whose value is not null, newest first; return how many."""
    found = 0
    event = high - 1
    while event >= low and found < number:
        if valid[event]:
            chosen[found] = event
            found += 1
        event -= 1
    return found


@compiled
def tally(values: Array, valid: Flags, low: int, high: int) -> tuple[Integers, Integers]:
    """Return an event of each different value of a range, smallest value first, and how often each comes."""
    events = np.empty(high - low, np.int64)
    number = 0
    for event in range(low, high):
        if valid[event]:
            events[number] = event
            number += 1
    kept = values[events[:number]]
    order = np.argsort(kept, kind="mergesort")
    counts = np.empty(number, np.int64)
    firsts = np.empty(number, np.int64)
    different = 0
    for position in range(number):
        at = order[position]
        if position and kept[at] == kept[order[position - 1]]:
            counts[different - 1] += 1
        else:
            firsts[different], counts[different] = events[at], 1
            different += 1
    return firsts[:different], counts[:different]


@compiled
def largest(counts: Integers, number: int, chosen: Integers) -> int:
    """Write the positions of the `number` largest counts, largest first, of equal ones the first; return how many."""
    found = 0
    for position in range(len(counts)):
        at = min(number, found)
        while at > 0 and counts[chosen[at - 1]] < counts[position]:
            at -= 1
        if at >= number:
            continue
        last = found if found < number else number - 1
        for move in range(last, at, -1):
            chosen[move] = chosen[move - 1]
        chosen[at] = position
        found = min(found + 1, number)
    return found
