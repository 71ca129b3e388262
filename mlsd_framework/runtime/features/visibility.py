"""What had been written when a question was asked: questions that would see too much get a log of their own.

Most questions see every event that happened before them. One that was asked after an event happened and before it was
written is given a key of its own, with a copy of the events that it may see, so that the kernel stays as it is. The
cost is the length of such a question's longest window.
"""

import numpy as np

from mlsd_framework.runtime.features.compiled import Flags, Integers, compiled
from mlsd_framework.runtime.features.ordering import Ordered


def as_written(ordered: Ordered, written: Integers, known: Integers, longest: int) -> Ordered:
    """Return the events and questions with those events hidden that were written after a question.

    `written` are the events' times of writing and `known` the questions' moments, both in their order (microseconds);
    `longest` is the longest window, negative for a lifetime.
    """
    hidden = _count_hidden(ordered.times, written, ordered.ends, known, ordered.events_at, ordered.asks_at)
    apart = hidden > 0
    if not apart.any():
        return ordered
    positions, places = _visible(
        ordered.times, written, ordered.ends, known, ordered.events_at, ordered.asks_at, apart, longest
    )
    rest = ~apart
    keys = np.repeat(np.arange(len(ordered.asks_at) - 1), np.diff(ordered.asks_at))
    staying = np.concatenate(([0], np.cumsum(np.bincount(keys[rest], minlength=len(ordered.asks_at) - 1))))
    return Ordered(
        np.concatenate((ordered.events, ordered.events[positions])),
        np.concatenate((ordered.times, ordered.times[positions])),
        np.concatenate((ordered.events_at, len(ordered.events) + places[1:])),
        np.concatenate((ordered.asks[rest], ordered.asks[apart])),
        np.concatenate((ordered.ends[rest], ordered.ends[apart])),
        np.concatenate((staying, staying[-1] + 1 + np.arange(apart.sum()))),
    )


@compiled
def _count_hidden(
    times: Integers, written: Integers, ends: Integers, known: Integers, events_at: Integers, asks_at: Integers
) -> Integers:
    hidden = np.zeros(len(ends), np.int64)
    for key in range(len(events_at) - 1):
        begin, stop = events_at[key], events_at[key + 1]
        latest = np.empty(stop - begin, np.int64)  # when the last of the events up to here was written
        for event in range(begin, stop):
            latest[event - begin] = written[event] if event == begin else max(latest[event - begin - 1], written[event])
        high = begin
        for ask in range(asks_at[key], asks_at[key + 1]):
            while high < stop and times[high] < ends[ask]:
                high += 1
            event = high - 1
            while event >= begin and latest[event - begin] > known[ask]:
                hidden[ask] += written[event] > known[ask]
                event -= 1
    return hidden


@compiled
def _visible(
    times: Integers,
    written: Integers,
    ends: Integers,
    known: Integers,
    events_at: Integers,
    asks_at: Integers,
    apart: Flags,
    longest: int,
) -> tuple[Integers, Integers]:
    # The events of each question that stands apart, and where they begin: first counted, then written.
    positions = np.empty(0, np.int64)
    places = np.zeros(1 + np.sum(apart), np.int64)
    for writing in range(2):
        number = asked = 0
        for key in range(len(events_at) - 1):
            for ask in range(asks_at[key], asks_at[key + 1]):
                if not apart[ask]:
                    continue
                for event in range(events_at[key], events_at[key + 1]):
                    if times[event] >= ends[ask]:
                        break
                    if written[event] <= known[ask] and (longest < 0 or times[event] >= ends[ask] - longest):
                        if writing:
                            positions[number] = event
                        number += 1
                asked += 1
                places[asked] = number
        if not writing:
            positions = np.empty(number, np.int64)
    return positions, places
