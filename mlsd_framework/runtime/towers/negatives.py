"""What a positive is held against: the pool of items of a batch, hard ones, and how likely each item is to be there."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mlsd_framework.runtime.index.door import Kind


@dataclass(frozen=True, slots=True)
class Negatives:
    """Which items join those of the batch itself, which always serve as negatives of one another.

    `uniform` and `popular` are numbers of draws a batch, the latter by `popularity ** power` (word2vec's 0.75).
    `mined` is a number for each row, drawn from the row's nearest items by the vectors at the beginning of the epoch,
    from the second on: `mined_pool` of them, behind the first `skipped`, found by an index of the kind `engine`.
    `corrected` subtracts the log of each item's chance to be there (logQ); without it popular items score low.
    """

    uniform: int = 0
    popular: int = 0
    power: float = 0.75
    mined: int = 0
    mined_pool: int = 100
    skipped: int = 0
    engine: Kind = "exact"
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


def pooled(positives: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
    """Return the items of a batch, each once, and the place of each row's positive among them: [pool], [rows].

    As an item stands once, no row has its own positive among its negatives: there are no accidental hits.
    """
    pool, inverse = torch.unique(torch.cat([positives, extra]), return_inverse=True)
    return pool, inverse[: len(positives)]


def drawn(mined: Tensor, keys: Tensor, number: int) -> Tensor:
    """Return `number` of the mined items of each row, those of the smallest keys: [rows, number], -1 behind them.

    `mined` are places in the catalogue, [rows, mined], -1 where a row has fewer, and `keys` random numbers below 1.
    """
    chosen = torch.topk(torch.where(mined >= 0, keys, 1.0), min(number, mined.shape[1]), dim=1, largest=False)
    return mined.gather(1, chosen.indices)


def with_mined(pool: Tensor, hard: Tensor, mined: Tensor, log_q: Tensor) -> Tensor:
    """Return log Q of the items of a pool and of the `hard` ones of each row beside them: [rows, pool + hard].

    `pool` rises; `log_q` [items] is of the pool alone. Of its `mined` items [rows, mined] a row has drawn as many as
    there are `hard` ones [rows, hard], so such an item has two ways to be there, and is absent with the chance
    (1 - q) (1 - drawn / mined). A hard one that is in the pool already, or is -1, gets infinity: it does not count.
    """
    there = (mined >= 0).sum(1, keepdim=True)
    share = (hard.shape[1] / there.clamp(min=1)).clamp(max=1.0)
    place = torch.searchsorted(pool, mined).clamp(max=len(pool) - 1)
    beside = len(pool)  # a column for what is not in the pool, which is left out in the end
    inside = torch.where((pool[place] == mined) & (mined >= 0), place, beside)
    chances = log_q[pool].repeat(len(mined), 1)
    chances = torch.cat([chances, chances.new_zeros(len(mined), 1)], dim=1)
    chances.scatter_(1, inside, _either(log_q[mined.clamp(min=0)], share))
    counted = (hard >= 0) & ~torch.isin(hard, pool)
    own = torch.where(counted, _either(log_q[hard.clamp(min=0)], share), math.inf)
    return torch.cat([chances[:, :beside], own], dim=1)


def _either(log_q: Tensor, share: Tensor) -> Tensor:
    """Return the log of the chance to be in the pool, or drawn with the chance `share`."""
    q = log_q.exp()
    return torch.log(q + share - q * share)


def sampled_softmax(scores: Tensor, target: Tensor, log_q: Tensor) -> Tensor:
    """Return the mean cross-entropy of scores [rows, pool] for the places [rows], corrected by log Q.

    It is [pool], or [rows, pool] where rows differ in it.
    """
    return nn.functional.cross_entropy(scores.float() - log_q, target)


def _smoothed(shares: Tensor, power: float) -> Tensor:
    weights = torch.where(shares > 0, shares**power, 0.0)
    return weights / weights.sum()
