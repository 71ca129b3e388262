"""Each re-ranking stage beside a plain Python and NumPy one: one request of 500 candidates, the first 50 shown.

Run from the repository's root: `python benchmarks/rerank.py [--rounds N] [--quick]`. Stages and peers are timed in
turns in one run, and each figure is the median of its rounds; that both give the same is asserted first, where they
draw no chances of their own. `one of 1000` is ours for 1000 requests at once, divided by them.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from mlsd_framework.runtime.reranking import boosts, caps, epsilon_greedy, fairness, filters, mmr, posteriors, thompson
from mlsd_framework.runtime.reranking.seeds import seeds_of
from mlsd_framework.runtime.reranking.slots import Slots
from mlsd_framework.runtime.reranking.spread import spread
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.interactions import Histories

ROWS, K, CATALOGUE, DIMENSIONS = 500, 50, 20_000, 64
GAP, BALANCE, EPSILON, DAY = 2, 0.7, 0.1, 86_400_000_000
SLOTS, SHARES, MOST = Slots((5, 15, 30), K), np.array([0.3, 0.3]), (3, 2)


@dataclass(frozen=True)
class Data:
    """Requests, and what stages ask of their rows."""

    candidates: Candidates
    histories: Histories
    ages: np.ndarray
    flags: np.ndarray
    categories: np.ndarray
    brands: np.ndarray
    groups: np.ndarray
    new: np.ndarray
    posteriors: np.ndarray
    seeds: np.ndarray
    units: np.ndarray


def drawn(requests: int, units: np.ndarray) -> Data:
    """Return requests of 500 rows each; about 50 are new, and few of the first are of the first two groups."""
    draw = np.random.default_rng(0)
    rows = requests * ROWS
    scores = np.sort(draw.random((requests, ROWS)))[:, ::-1].ravel()
    items = np.concatenate([draw.permutation(CATALOGUE)[:ROWS] for _ in range(requests)]).astype(np.int32)
    showings = draw.integers(0, 200, rows)
    return Data(
        Candidates(offsets_of(np.full(requests, ROWS)), items, {"score": scores}),
        Histories(
            offsets_of(np.full(requests, 100)),
            draw.integers(0, CATALOGUE, requests * 100).astype(np.int32),
            np.sort(draw.integers(0, 60 * DAY, (requests, 100))).ravel(),
            np.full(requests, 60 * DAY),
        ),
        draw.integers(0, 90, rows).astype(np.float64),
        draw.random(rows) < 0.1,
        draw.integers(0, 20, rows),
        draw.integers(0, 100, rows),
        np.where(draw.random(rows) < 0.8, 2, draw.integers(0, 2, rows)),
        draw.random(rows) < 0.1,
        posteriors.posteriors_of(draw.binomial(showings, 0.03), showings, (1.0, 30.0)),
        seeds_of(map(str, range(requests))),
        units,
    )


def stages(data: Data) -> dict[str, Callable[[], Candidates]]:
    """Return ours by name."""
    some, k = data.candidates, K
    both = [caps.Cap(data.categories, MOST[0]), caps.Cap(data.brands, MOST[1])]
    return {
        "recently seen": lambda: (
            filters.remove(some, {"seen": filters.recently_interacted(some, data.histories, 30 * DAY)}).candidates
        ),
        "boost": lambda: boosts.boosted(some, data.flags, times=1.5),
        "freshness": lambda: boosts.freshened(some, data.ages, 30.0),
        "two caps": lambda: caps.capped(some, both, k),
        "spread": lambda: spread(some, data.categories, GAP, k),
        "MMR": lambda: mmr.diversified(some, data.units, k, BALANCE),
        "epsilon-greedy": lambda: epsilon_greedy.epsilon_greedy(some, data.new, data.seeds, SLOTS, EPSILON),
        "Thompson": lambda: thompson.thompson(some, data.new, data.posteriors, data.seeds, SLOTS),
        "fair exposure": lambda: fairness.fairly_exposed(some, data.groups, SHARES, k).candidates,
    }


def plain_recently_seen(data: Data) -> list[int]:
    """Return the items left, by a set."""
    since = data.histories.at[0] - 30 * DAY
    seen = {item for item, at in zip(data.histories.items, data.histories.times, strict=True) if at > since}
    return [item for item in data.candidates.items.tolist() if item not in seen]


def plain_boost(data: Data) -> list[int]:
    """Return the items by boosted score, with Python's sort."""
    scores = zip(data.candidates.columns["score"].tolist(), data.flags.tolist(), strict=True)
    boosted = [score * 1.5 if held else score for score, held in scores]
    return [int(data.candidates.items[row]) for row in sorted(range(ROWS), key=lambda row: -boosted[row])]


def plain_freshness(data: Data) -> list[int]:
    """Return the items by decayed score, with NumPy."""
    scores = data.candidates.columns["score"] * np.exp2(-data.ages / 30.0)
    return data.candidates.items[np.argsort(-scores, kind="stable")].tolist()


def plain_caps(data: Data) -> list[int]:
    """Return the items, those over a cap behind, with dictionaries of counts."""
    categories, brands = data.categories.tolist(), data.brands.tolist()
    counts: tuple[dict[int, int], dict[int, int]] = {}, {}
    taken: list[int] = []
    for row in range(ROWS):
        values = categories[row], brands[row]
        if all(count.get(value, 0) < most for count, value, most in zip(counts, values, MOST, strict=True)):
            taken.append(row)
            for count, value in zip(counts, values, strict=True):
                count[value] = count.get(value, 0) + 1
        if len(taken) == K:
            break
    chosen = set(taken)
    return data.candidates.items[taken + [row for row in range(ROWS) if row not in chosen]].tolist()


def plain_spread(data: Data) -> list[int]:
    """Return the items, values apart, with lists; nothing is left without a fit here."""
    values, left, shown = data.categories.tolist(), list(range(ROWS)), []
    while len(shown) < K:
        recent = {values[row] for row in shown[-GAP:]}
        shown.append(left.pop(next(place for place, row in enumerate(left) if values[row] not in recent)))
    return data.candidates.items[shown + left].tolist()


def plain_mmr(data: Data) -> list[int]:
    """Return the items by MMR, a product of matrix and vector a choice."""
    vectors, scores = data.units[data.candidates.items], data.candidates.columns["score"]
    nearest, free, shown = np.zeros(ROWS, np.float32), np.ones(ROWS, np.bool_), []
    for place in range(K):
        pick = int(np.argmax(np.where(free, BALANCE * scores - (1 - BALANCE) * nearest, -np.inf)))
        shown.append(pick)
        free[pick] = False
        cosines = vectors @ vectors[pick]
        nearest = cosines if place == 0 else np.maximum(nearest, cosines)
    return data.candidates.items[shown + np.flatnonzero(free).tolist()].tolist()


def plain_epsilon_greedy(data: Data) -> list[int]:
    """Return the items with slots drawn by NumPy, without propensities."""
    draw = np.random.default_rng(int(data.seeds[0]))
    shown, pool = list(range(K)), (K + np.flatnonzero(data.new[K:])).tolist()
    for place in SLOTS.places:
        if draw.random() < EPSILON:
            shown[place] = pool.pop(draw.integers(len(pool)))
    chosen = set(shown)
    return data.candidates.items[shown + [row for row in range(ROWS) if row not in chosen]].tolist()


def plain_thompson(data: Data) -> list[int]:
    """Return the items with slots by NumPy's Beta draws, and propensities by 1000 simulations of them."""
    draw = np.random.default_rng(int(data.seeds[0]))
    shown, pool = list(range(K)), K + np.flatnonzero(data.new[K:])
    draws = draw.beta(*data.posteriors[:, pool], size=(1001, len(pool)))
    best = pool[np.argsort(-draws, axis=1)[:, : len(SLOTS.places)]]
    (best[1:] == best[0]).mean(axis=0)
    for place, row in zip(SLOTS.places, best[0].tolist(), strict=True):
        shown[place] = row
    chosen = set(shown)
    return data.candidates.items[shown + [row for row in range(ROWS) if row not in chosen]].tolist()


def plain_fair_exposure(data: Data) -> list[int]:
    """Return the items rank by rank: a group behind its share of the exposure so far goes first (as FA*IR does)."""
    groups, left, shown = data.groups.tolist(), list(range(ROWS)), []
    got, total = [0.0, 0.0, 0.0], 0.0
    for place in range(K):
        discount = 1 / np.log2(place + 2)
        total += discount
        behind = [group for group in (0, 1) if got[group] < SHARES[group] * total]
        row = next((row for row in left if groups[row] in behind), left[0]) if behind else left[0]
        got[groups[row]] += discount
        left.remove(row)
        shown.append(row)
    return data.candidates.items[shown + left].tolist()


PEERS = {
    "recently seen": plain_recently_seen,
    "boost": plain_boost,
    "freshness": plain_freshness,
    "two caps": plain_caps,
    "spread": plain_spread,
    "MMR": plain_mmr,
    "epsilon-greedy": plain_epsilon_greedy,
    "Thompson": plain_thompson,
    "fair exposure": plain_fair_exposure,
}
DIFFERENT = ("epsilon-greedy", "Thompson", "fair exposure")  # other draws, another method


def timed(call: Callable[[], object], calls: int) -> float:
    """Return the microseconds of a call."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls * 1e6


def worth(data: Data, items: list[int]) -> float:
    """Return the discounted score of the first k items."""
    score = dict(zip(data.candidates.items.tolist(), data.candidates.columns["score"].tolist(), strict=True))
    return sum(score[item] / np.log2(place + 2) for place, item in enumerate(items[:K]))


def main() -> None:
    """Check that stages and peers agree, time them in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--quick", action="store_true", help="one round, few requests at once")
    asked = parser.parse_args()
    rounds, calls, many = (1, 1, 5) if asked.quick else (asked.rounds, 20, 1000)
    units = mmr.units_of(np.random.default_rng(1).normal(size=(CATALOGUE, DIMENSIONS)))
    data, batch = drawn(1, units), drawn(many, units)
    ours, together = stages(data), stages(batch)
    print(f"us a request of {ROWS} candidates, the first {K} arranged; medians of {rounds} rounds")
    print(f"{'stage':<16}{'ours':>10}{f'one of {many}':>14}{'plain':>10}{'plain / ours':>14}")
    for name, stage in ours.items():
        peer = PEERS[name]
        assert name in DIFFERENT or stage().items.tolist() == peer(data), name
        stage()
        times = [(timed(stage, calls), timed(lambda peer=peer: peer(data), calls)) for _ in range(rounds)]
        mine, theirs = (statistics.median(one) for one in zip(*times, strict=True))
        at_once = timed(together[name], 1) / many
        print(f"{name:<16}{mine:>10.1f}{at_once:>14.1f}{theirs:>10.1f}{theirs / mine:>13.1f}x")
    fair = fairness.fairly_exposed(data.candidates, data.groups, SHARES, K)
    before = worth(data, data.candidates.items.tolist())
    losses = [1 - worth(data, one) / before for one in (fair.candidates.items.tolist(), plain_fair_exposure(data))]
    print(f"discounted score lost to fair exposure: ours {losses[0]:.2%}, rank by rank {losses[1]:.2%}")


if __name__ == "__main__":
    main()
