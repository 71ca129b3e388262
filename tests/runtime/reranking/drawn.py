"""Candidates of several requests as tests draw them, and the check that many at once are as one by one."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of

CATALOGUE = 40
LENGTHS = st.lists(st.integers(0, 12), min_size=1, max_size=5)
SEEDS = st.integers(0, 2**32 - 1)
Stage = Callable[[Candidates, NDArray[np.int64], NDArray[np.int64]], Candidates]
"""(candidates, the drawn rows and requests that they are) -> candidates."""


def drawn(lengths: list[int], seed: int, *, nulls: bool = True) -> Candidates:
    """Return requests of so many rows, best first, of coarse scores, so that there are equal ones; NaN last."""
    random = np.random.default_rng(seed)
    items, scores = [np.zeros(0, np.int32)], [np.zeros(0)]
    for length in lengths:
        items.append(random.permutation(CATALOGUE)[:length].astype(np.int32))
        one = np.sort(random.integers(0, 9, length) / 8)[::-1]
        scores.append(np.where(np.arange(length) >= length - random.integers(0, 3) * nulls, np.nan, one))
    return Candidates(offsets_of(np.array(lengths)), np.concatenate(items), {"score": np.concatenate(scores)})


def alone(candidates: Candidates, request: int) -> tuple[Candidates, NDArray[np.int64]]:
    """Return one request by itself, and which rows it is of."""
    rows = np.arange(candidates.offsets[request], candidates.offsets[request + 1])
    columns = {name: column[rows] for name, column in candidates.columns.items()}
    return Candidates(np.array([0, len(rows)]), candidates.items[rows], columns), rows


def check_batch(stage: Stage, candidates: Candidates) -> Candidates:
    """Return what a stage gives for all requests, having seen that it gives the same for each by itself."""
    found = stage(candidates, np.arange(len(candidates.items)), np.arange(candidates.requests))
    assert found.requests == candidates.requests
    for request in range(candidates.requests):
        one, rows = alone(candidates, request)
        by_itself, within = stage(one, rows, np.array([request])), alone(found, request)[0]
        np.testing.assert_array_equal(by_itself.items, within.items)
        assert by_itself.columns.keys() == within.columns.keys()
        for name, column in by_itself.columns.items():
            np.testing.assert_array_equal(column, within.columns[name])
        assert set(within.items.tolist()) <= set(one.items.tolist())
    return found
