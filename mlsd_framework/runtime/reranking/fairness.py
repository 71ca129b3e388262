"""Fairness of exposure: each group gets at least its share of what the first k ranks are worth, at the least loss.

The exposure of a rank is 1 / log2(1 + rank), as DCG discounts it (Singh and Joachims, "Fairness of exposure in
rankings", KDD 2018). One list is made for a request, not a lottery over lists: the discounted score of the first k is
made as large as can be while every group has its share. Within a group the given order is best, so what is to be found
is which group stands at which rank (as in FA*IR, Zehlike et al., CIKM 2017); `fair_search` finds it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.reranking.conditions import places_in
from mlsd_framework.runtime.reranking.fair_search import arrange
from mlsd_framework.runtime.reranking.orders import FloatArray, check_k, check_rows, permuted, scores_of
from mlsd_framework.runtime.retrieval.candidates import Candidates


@dataclass(frozen=True, slots=True)
class Fair:
    """The new order, and by how much of all exposure each group falls short of its share: [requests, groups].

    A shortfall above 0 is of a request whose rows cannot give every group its share, or leave too little room for it to
    be found.
    """

    candidates: Candidates
    shortfall: FloatArray


def fairly_exposed(
    candidates: Candidates,
    groups: NDArray[np.integer],
    shares: FloatArray,
    k: int,
    *,
    score: str = "score",
    most_steps: int = 1000,
) -> Fair:
    """Give each group at least its share of the exposure of the first k, or of the whole list where it is shorter.

    `groups` [rows] are codes (`codes_of`), below 0 or from `len(shares)` on for rows of no group; `shares` [groups] are
    parts of all exposure. A request that keeps the shares as it stands is not touched. Scores count as the order has
    them: a row above one of a larger score counts as much as that one, so only shares move rows. NaN counts as the next
    row with a score, behind all of them as the lowest. A group with too few rows gets the first ranks. Shares that no
    order gives all at once (one half each: ranks seldom add up to it) are met within 0.1%, 1% or 5% of each share,
    the first of these for which an order is found within the steps.

    The loss is the least there is where the search ends within `most_steps`; where not, that of the best order found.
    Beside an integer program, lists of 10 and 20 ranks and three groups lost up to 0.1% of the discounted score more.

    Raises ValueError for k < 1, a share outside 0 to 1, or shares of more than 1 together.
    """
    check_k(k)
    check_rows(candidates, "groups", groups)
    asked = np.asarray(shares, np.float64)
    if not ((asked >= 0) & (asked <= 1)).all() or asked.sum() > 1 + 1e-9:
        raise ValueError(f"shares are from 0 to 1 and sum to 1 at most, not {asked.tolist()}")
    codes = np.where((groups < 0) | (groups >= len(asked)), len(asked), groups).astype(np.int64)
    order = np.empty(len(candidates.items), np.int64)
    shortfall = np.zeros((candidates.requests, len(asked)))
    arrange(candidates.offsets, scores_of(candidates, score), codes, asked, k, most_steps, order, shortfall)
    return Fair(permuted(candidates, order), shortfall)


def exposed(
    candidates: Candidates, values: NDArray[Any], at_least: Mapping[str | int, float], k: int, *, score: str = "score"
) -> Candidates:
    """Give the rows of some values at least their shares of the exposure of the first k (`fairly_exposed`).

    `values` [rows] are a column, such as brands; `at_least` has the share of each value that is to have one.
    """
    groups = places_in(values, list(at_least))
    shares = np.array(list(at_least.values()), np.float64)
    return fairly_exposed(candidates, groups, shares, k, score=score).candidates
