"""What a positive is held against: the pool of items of a batch, and how likely each item is to be in it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Negatives:
    """Which items join those of the batch itself, which always serve as negatives of one another.

    `uniform` and `popular` are numbers of draws a batch, the latter by `popularity ** power` (word2vec's 0.75).
    `mined` is a number for each row: the nearest of `mined_from` uniform draws, by the vectors of the moment.
    `corrected` subtracts the log of each item's chance to be in the pool (logQ); without it popular items score low.
    """

    uniform: int = 0
    popular: int = 0
    power: float = 0.75
    mined: int = 0
    mined_from: int = 2_000
    corrected: bool = True


def popularity(positives: Tensor, items: int) -> Tensor:
    """Return each item's share of the positives: [items], float64."""
    counts = torch.bincount(positives, minlength=items).to(torch.float64)
    return counts / counts.sum()


def log_inclusion(shares: Tensor, batch: int, negatives: Negatives) -> Tensor:
    """Return the log of each item's chance to be in a batch's pool: [items], from shares of positives [items].

    A pool holds an item once, so it is the chance of at least one draw. The posterior of which item of a set is the
    positive then is proportional to P(item) / Q(item), for rare and for popular items alike; see Jean et al. (ACL 2015)
    and TensorFlow's notes on candidate sampling; Yi et al. (RecSys 2019) use the rare-item limit log(batch * share).
    """
    if not negatives.corrected:
        return torch.zeros(len(shares))
    absent = (batch - 1) * torch.log1p(-shares.clamp(max=1 - 1e-12))
    absent += negatives.uniform * math.log1p(-1 / max(len(shares), 2))
    absent += negatives.popular * torch.log1p(-_smoothed(shares, negatives.power).clamp(max=1 - 1e-12))
    chances: Tensor = -torch.expm1(absent.clamp(max=-1e-12))
    return torch.log(chances).to(torch.float32)


class Draws:
    """Random items of a catalogue, uniform or by popularity."""

    def __init__(self, shares: Tensor, negatives: Negatives) -> None:
        """Take the items' shares of positives: [items]."""
        self._items = len(shares)
        self._negatives = negatives
        self._cumulated = torch.cumsum(_smoothed(shares, negatives.power), 0)

    def joining(self, generator: torch.Generator) -> Tensor:
        """Return the items that join a batch: [uniform + popular]."""
        uniform = torch.randint(self._items, (self._negatives.uniform,), generator=generator)
        chances = torch.rand(self._negatives.popular, generator=generator, dtype=torch.float64)
        popular = torch.searchsorted(self._cumulated, chances * self._cumulated[-1], right=True)
        return torch.cat([uniform, popular.clamp(max=self._items - 1)])

    def mineable(self, pool: Tensor, generator: torch.Generator) -> Tensor:
        """Return items among which hard ones are looked for, none of them in the pool: [at most mined_from]."""
        if not self._negatives.mined:
            return pool[:0]
        drawn: Tensor = torch.unique(torch.randint(self._items, (self._negatives.mined_from,), generator=generator))
        kept: Tensor = drawn[~torch.isin(drawn, pool)]
        return kept


def pooled(positives: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
    """Return the items of a batch, each once, and the place of each row's positive among them: [pool], [rows].

    As an item stands once, no row has its own positive among its negatives: there are no accidental hits.
    """
    pool, inverse = torch.unique(torch.cat([positives, extra]), return_inverse=True)
    return pool, inverse[: len(positives)]


def nearest(users: Tensor, items: Tensor, number: int) -> Tensor:
    """Return the places of the items that are among the `number` nearest of some user, each once.

    Users are [rows, dimension], items [items, dimension].
    """
    places: Tensor = torch.unique(torch.topk(users @ items.T, min(number, len(items)), dim=1).indices)
    return places


def sampled_softmax(scores: Tensor, target: Tensor, log_q: Tensor) -> Tensor:
    """Return the mean cross-entropy of scores [rows, pool] for the places [rows], corrected by log Q [pool]."""
    return nn.functional.cross_entropy(scores.float() - log_q, target)


def _smoothed(shares: Tensor, power: float) -> Tensor:
    weights = torch.where(shares > 0, shares**power, 0.0)
    return weights / weights.sum()
