"""How a user's events with one item follow each other: what tells whether the item is due again.

Events less than `apart` after the one before are one occasion. The measures are those of Bhagat et al. ("Buy It Again",
2018) and Anderson et al. ("The Dynamics of Repeat Consumption", 2014): a rate with a prior, recency, and time since the
last occasion by the interval that is usual for the pair, which begins as that of the item and of the user.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.retrieval.candidates import Codes, Offsets
from mlsd_framework.runtime.retrieval.interactions import Histories, Interactions, Times, histories_of

MEASURES: Final = (
    "count",
    "recency",
    "faded_fast",
    "faded",
    "faded_slowly",
    "rate",
    "item_interval",
    "item_repeats",
    "item_users",
    "user_interval",
    "user_active",
    "due",
    "due_squared",
    "user_last",
)
_PRIOR: Final = 4.0
"""How many intervals of its own a user, an item or a pair needs to count as much as what it begins with."""


@dataclass(frozen=True, slots=True)
class ItemCadence:
    """Of each item: the mean logarithm of its intervals in horizons, the share of users who repeat it, its users.

    [items, 3]; items with few intervals are near the mean of all, which is `usual` and what a new item has.
    """

    items: NDArray[np.float64]
    usual: NDArray[np.float64]


def item_cadence(log: Interactions, horizon: int, apart: int) -> ItemCadence:
    """Return the cadence of each item over all users."""
    end = int(log.times[-1]) + 1 if len(log.times) else 0
    everyone = histories_of(log, np.arange(log.user_count), np.full(log.user_count, end, np.int64))
    sums = _item_sums(everyone.offsets, everyone.items, everyone.times, log.item_count, float(horizon), float(apart))
    users, repeaters, intervals, logarithms = sums
    usual_interval = logarithms.sum() / max(intervals.sum(), 1.0)
    usual_repeats = (repeaters.sum() + 1.0) / (users.sum() + 2.0)
    interval = (logarithms + _PRIOR * usual_interval) / (intervals + _PRIOR)
    repeats = (repeaters + _PRIOR * usual_repeats) / (users + _PRIOR)
    items = np.column_stack([interval, np.log(repeats / (1.0 - repeats)), np.log1p(users)])
    usual = np.array([usual_interval, np.log(usual_repeats / (1.0 - usual_repeats)), 0.0])
    return ItemCadence(items, usual)


def pairs_of(
    histories: Histories, cadence: ItemCadence, horizon: int, apart: int
) -> tuple[Offsets, Codes, NDArray[np.float64]]:
    """Return the distinct items of each request, rising, and their measures [pairs, MEASURES]."""
    return _pairs(
        (histories.offsets, histories.items, histories.times, histories.at),
        cadence.items,
        cadence.usual,
        float(horizon),
        float(apart),
    )


@compiled
def _item_sums(
    offsets: Offsets, items: Codes, times: Times, count: int, horizon: float, apart: float
) -> NDArray[np.float64]:
    """Return each item's users, users who repeat, intervals, sum of their logarithms in horizons: [4, items]."""
    sums = np.zeros((4, count))
    for user in range(len(offsets) - 1):
        first, last = offsets[user], offsets[user + 1]
        previous = np.int32(-1)
        occasions, before = 0, np.int64(0)
        for place in np.argsort(items[first:last], kind="mergesort"):
            item, time = items[first + place], times[first + place]
            if item != previous:
                sums[0, item] += 1
                occasions, previous = 1, item
            elif time - before >= apart:
                occasions += 1
                sums[1, item] += occasions == 2  # noqa: PLR2004
                sums[2, item] += 1
                sums[3, item] += np.log((time - before) / horizon)
            else:
                continue
            before = time
    return sums


@compiled
def _pairs(
    histories: tuple[Offsets, Codes, Times, Times],
    cadence: NDArray[np.float64],
    usual: NDArray[np.float64],
    horizon: float,
    apart: float,
) -> tuple[Offsets, Codes, NDArray[np.float64]]:
    offsets, items, times, at = histories
    out_offsets = np.zeros(len(at) + 1, np.int64)
    out_items = np.empty(len(items), np.int32)
    out = np.empty((len(items), 14))
    # Of each pair: occasions, microseconds since the first and the last, logarithms of intervals, counts faded thrice.
    sums = np.empty((len(items), 7))
    end = 0
    for request in range(len(at)):
        first, last = offsets[request], offsets[request + 1]
        begin = end
        intervals, logarithms = 0.0, 0.0
        for place in np.argsort(items[first:last], kind="mergesort"):
            item = items[first + place]
            # Gaps between whole microseconds are exact, those between horizons would not be.
            since = float(at[request] - times[first + place])
            if end > begin and out_items[end - 1] == item:
                pair = sums[end - 1]
                gap = pair[2] - since
                if gap < apart:
                    continue
                logarithm = np.log(gap / horizon)
                pair[3] += logarithm
                intervals += 1.0
                logarithms += logarithm
            else:
                out_items[end] = item
                sums[end] = 0.0
                sums[end, 1] = since
                pair = sums[end]
                end += 1
            pair[0] += 1.0
            pair[2] = since
            age = since / horizon
            pair[4] += 2.0**-age
            pair[5] += 2.0 ** (-age / 4.0)
            pair[6] += 2.0 ** (-age / 16.0)
        out_offsets[request + 1] = end
        if end == begin:
            continue
        own = (logarithms + _PRIOR * usual[0]) / (intervals + _PRIOR)
        active = 0.0
        for row in range(begin, end):
            active += sums[row, 5]
        latest = (at[request] - times[last - 1]) / horizon
        for row in range(begin, end):
            item = out_items[row]
            about = cadence[item] if item < len(cadence) else usual
            _measure(sums[row], about, own - usual[0], horizon, out[row])
            out[row, 9] = own
            out[row, 10] = np.log(active + 0.01)
            out[row, 13] = np.log1p(latest)
    return out_offsets, out_items[:end].copy(), out[:end].copy()


@compiled
def _measure(
    pair: NDArray[np.float64], about: NDArray[np.float64], user: float, horizon: float, out: NDArray[np.float64]
) -> None:
    """Write the measures of a pair alone; `user` is how much longer this user's intervals are, as a logarithm."""
    occasions, first, recency = pair[0], pair[1] / horizon, pair[2] / horizon
    out[0] = np.log(occasions)
    out[1] = np.log1p(recency)
    out[2] = np.log(pair[4] + 0.01)
    out[3] = np.log(pair[5] + 0.01)
    out[4] = np.log(pair[6] + 0.01)
    out[5] = np.log(occasions / (first + 4.0))
    out[6], out[7], out[8] = about[0], about[1], about[2]
    expected = (pair[3] + _PRIOR * (about[0] + user)) / (occasions - 1.0 + _PRIOR)
    due = np.log(recency + 0.02) - expected
    out[11] = due
    out[12] = due * due
