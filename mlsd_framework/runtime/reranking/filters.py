"""Filters: rows that are not to be shown, taken away and counted by why.

A filter is a mask of the rows to take away; `remove` applies any number of them in one go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.reranking.conditions import true_in
from mlsd_framework.runtime.reranking.orders import BoolArray, check_rows
from mlsd_framework.runtime.retrieval.candidates import Candidates, Codes, Offsets
from mlsd_framework.runtime.retrieval.interactions import Histories, Times


@dataclass(frozen=True, slots=True)
class Filtered:
    """What is left, in its order, and how many rows of each request went for each reason: [requests] a reason."""

    candidates: Candidates
    removed: Mapping[str, NDArray[np.int64]]


def remove(candidates: Candidates, reasons: Mapping[str, BoolArray]) -> Filtered:
    """Take away the rows for which any mask is true, [rows] each; one row counts under its first reason alone."""
    kept = np.ones(len(candidates.items), np.bool_)
    request_of = candidates.request_of
    removed: dict[str, NDArray[np.int64]] = {}
    for reason, mask in reasons.items():
        check_rows(candidates, reason, mask)
        removed[reason] = np.bincount(request_of[kept & mask], minlength=candidates.requests)
        kept &= ~mask
    return Filtered(candidates.where(kept), removed)


def not_true(column: NDArray[Any], *, null_passes: bool = False) -> BoolArray:
    """Tell which rows a boolean column does not let through: [rows]; a null does not pass unless it is said to."""
    return ~true_in(column, null=null_passes)


def out_of_stock(stock: NDArray[Any], *, null_passes: bool = True) -> BoolArray:
    """Tell of which rows there are none left, from how many there are: [rows].

    An unknown stock (NaN) counts as some: a lookup that fails for all items would empty the page otherwise.
    """
    left = stock.astype(np.float64, copy=False)
    return np.where(np.isnan(left), not null_passes, left <= 0)


def recently_interacted(candidates: Candidates, histories: Histories, younger_than: int) -> BoolArray:
    """Tell which rows' items their request met less than `younger_than` microseconds before its moment: [rows].

    An event of exactly that age is too old to count. `histories` are of the same requests; ValueError otherwise.
    """
    if histories.requests != candidates.requests:
        raise ValueError(f"there are {candidates.requests} requests and {histories.requests} histories")
    met = np.zeros(len(candidates.items), np.bool_)
    since = histories.at - np.int64(younger_than)
    past = (histories.offsets, histories.items, histories.times)
    _mark_met(candidates.offsets, candidates.items, *past, since, met)
    return met


@compiled
def _mark_met(
    offsets: Offsets, items: Codes, past_offsets: Offsets, past_items: Codes, times: Times, since: Times, met: BoolArray
) -> None:
    for request in range(len(since)):
        first, last = past_offsets[request], past_offsets[request + 1]
        begin = first + np.searchsorted(times[first:last], since[request], "right")
        recent = np.sort(past_items[begin:last])
        for row in range(offsets[request], offsets[request + 1]):
            place = np.searchsorted(recent, items[row])
            met[row] = place < len(recent) and recent[place] == items[row]
