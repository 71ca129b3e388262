"""Merging: candidates of several sources into one set of rows, each source in its turn, with what each said of them."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.retrieval.candidates import Candidates, Codes, Offsets

_Table: TypeAlias = NDArray[np.float64]


def merge(
    sources: Mapping[str, Candidates], quotas: Mapping[str, int] | None = None, n: int | None = None
) -> Candidates:
    """Join the candidates that sources found for the same requests, at most `n` a request.

    A source may bring its first `quotas[name]` rows (without one: all), and its turns come in that proportion: its row
    of rank r stands at (r + 1) / quota, of equal ones the earlier source's first. An item that several bring stands
    where it first comes. Columns `<source>.score` and `<source>.rank`, from 0, say what each source that found an item
    said of it, beyond its quota too; NaN where it did not find it.
    """
    names = list(sources)
    offsets = np.stack([sources[name].offsets for name in names])
    starts = np.zeros(len(names) + 1, np.int64)
    np.cumsum([len(sources[name].items) for name in names], out=starts[1:])
    items = np.concatenate([sources[name].items for name in names])
    scores = np.concatenate([sources[name].columns["score"] for name in names]).astype(np.float64, copy=False)
    allowed = {} if quotas is None else quotas
    longest = int(np.diff(offsets).max(initial=0))
    quota = np.array([allowed.get(name, longest) for name in names], np.int64)
    most = len(items) if n is None else n
    found_offsets, found, table = _merged(offsets, starts, items, scores, quota, most)
    columns: dict[str, NDArray[Any]] = {}
    for place, name in enumerate(names):
        columns[f"{name}.score"] = table[2 * place]
        columns[f"{name}.rank"] = table[2 * place + 1]
    return Candidates(found_offsets, found, columns)


@compiled
def _merged(
    offsets: NDArray[np.int64],
    starts: NDArray[np.int64],
    items: Codes,
    scores: NDArray[np.float64],
    quotas: NDArray[np.int64],
    most: int,
) -> tuple[Offsets, Codes, _Table]:
    """Merge request by request; `offsets` [sources, requests + 1], `starts` [sources + 1] cut `items` and `scores`."""
    sources, requests = offsets.shape[0], offsets.shape[1] - 1
    found_offsets = np.zeros(requests + 1, np.int64)
    found = np.empty(len(items), np.int32)
    table = np.full((2 * sources, len(items)), np.nan)
    end = 0
    for request in range(requests):
        lengths = offsets[:, request + 1] - offsets[:, request]
        # Where each item stands among the found: open addressing, at most half full.
        mask = 1
        while mask < 2 * lengths.sum():
            mask *= 2
        mask -= 1
        slots = np.full(mask + 1, -1, np.int64)
        begin = end
        ranks = np.zeros(sources, np.int64)
        while end - begin < most:
            turn = _next(lengths, ranks, quotas)
            if turn < 0:
                break
            item = items[starts[turn] + offsets[turn, request] + ranks[turn]]
            ranks[turn] += 1
            slot = _slot(slots, found, item, mask)
            if slots[slot] < 0:
                slots[slot] = end
                found[end] = item
                end += 1
        for source in range(sources):
            first = starts[source] + offsets[source, request]
            for rank in range(lengths[source]):
                row = slots[_slot(slots, found, items[first + rank], mask)]
                if row >= 0:
                    table[2 * source, row] = scores[first + rank]
                    table[2 * source + 1, row] = rank
        found_offsets[request + 1] = end
    return found_offsets, found[:end].copy(), table[:, :end].copy()


@compiled
def _next(lengths: NDArray[np.int64], ranks: NDArray[np.int64], quotas: NDArray[np.int64]) -> int:
    """Return the source whose turn it is, or -1 where none has a row left."""
    turn, soonest = -1, np.inf
    for source in range(len(ranks)):
        if ranks[source] < min(lengths[source], quotas[source]):
            due = (ranks[source] + 1) / quotas[source]
            if due < soonest:
                turn, soonest = source, due
    return turn


@compiled
def _slot(slots: NDArray[np.int64], found: Codes, item: int, mask: int) -> int:
    """Return the slot of an item, or the free one where it would go."""
    slot = (item * 2654435769) >> 7 & mask
    while slots[slot] >= 0 and found[slots[slot]] != item:
        slot = (slot + 1) & mask
    return slot
