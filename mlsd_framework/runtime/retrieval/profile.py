"""What a history says about its user's taste: the distinct items, each with a weight that fades with time.

Models learn from the profiles of all users and answer from those of the asking ones, by the same function.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.retrieval.candidates import Codes, Offsets
from mlsd_framework.runtime.retrieval.interactions import Histories, Interactions, Times, histories_of

Amount: TypeAlias = Literal["once", "log", "sum"]
"""How the events with one item add up: the last alone, the logarithm of one more than their sum, or their sum."""

AMOUNTS: Final[tuple[Amount, ...]] = ("once", "log", "sum")


@dataclass(frozen=True, slots=True)
class Profiles:
    """The distinct items of request `i`, by code, are `items[offsets[i]:offsets[i + 1]]`, their weights beside them."""

    offsets: Offsets
    items: Codes
    weights: NDArray[np.float64]

    def of(self, request: int) -> tuple[Codes, NDArray[np.float64]]:
        """Return the items and the weights of one request."""
        rows = slice(self.offsets[request], self.offsets[request + 1])
        return self.items[rows], self.weights[rows]


@dataclass(frozen=True, slots=True)
class Weighting:
    """How events become weights: half after `half_life` microseconds (0: they do not fade), added by `amount`."""

    half_life: int = 0
    amount: Amount = "once"

    def profiles(self, histories: Histories) -> Profiles:
        """Return the profile of each history at its moment; sources that weigh alike share it."""
        return histories.kept(self, lambda: self._made(histories))

    def _made(self, histories: Histories) -> Profiles:
        return Profiles(
            *_profiles(
                histories.offsets,
                histories.items,
                histories.times,
                histories.at,
                float(self.half_life),
                AMOUNTS.index(self.amount),
            )
        )

    def of_users(self, log: Interactions) -> Profiles:
        """Return the profile of every user after the log's last event."""
        end = int(log.times[-1]) + 1 if len(log.times) else 0
        users = np.arange(log.user_count)
        return self._made(histories_of(log, users, np.full(len(users), end, np.int64)))


@compiled
def _profiles(
    offsets: Offsets, items: Codes, times: Times, at: Times, half_life: float, amount: int
) -> tuple[Offsets, Codes, NDArray[np.float64]]:
    requests = len(at)
    out_offsets = np.zeros(requests + 1, np.int64)
    out_items = np.empty(len(items), np.int32)
    out_weights = np.empty(len(items), np.float64)
    end = 0
    for request in range(requests):
        first, last = offsets[request], offsets[request + 1]
        order = np.argsort(items[first:last], kind="mergesort")
        begin = end
        for place in order:
            row = first + place
            weight = 1.0
            if half_life > 0:
                weight = 2.0 ** (-(at[request] - times[row]) / half_life)
            if end > begin and out_items[end - 1] == items[row]:
                # Rows are oldest first, so that the last of an item weighs most.
                out_weights[end - 1] = weight if amount == 0 else out_weights[end - 1] + weight
            else:
                out_items[end] = items[row]
                out_weights[end] = weight
                end += 1
        if amount == 1:
            for row in range(begin, end):
                out_weights[row] = np.log1p(out_weights[row])
        out_offsets[request + 1] = end
    return out_offsets, out_items[:end].copy(), out_weights[:end].copy()
