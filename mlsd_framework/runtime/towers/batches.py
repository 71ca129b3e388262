"""Batches for a two-tower model, sliced whole from tensors: no row is touched by Python."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, cast

import numpy as np
import pytorch_lightning
import torch
from torch import Tensor

from mlsd_framework.runtime.tabular.rows import Rows
from mlsd_framework.runtime.towers.mining import Met, mined_items
from mlsd_framework.runtime.towers.negatives import (
    Draws,
    Negatives,
    drawn,
    log_inclusion,
    pooled,
    popularity,
    with_mined,
)


class Pairs(NamedTuple):
    """Who took what: rows of users, and the item of each by its place in the catalogue: [rows], int64."""

    users: Rows
    items: Tensor

    def take(self, rows: Tensor | slice) -> "Pairs":
        """Return some of the pairs."""
        return Pairs(self.users.take(rows), self.items[rows])


class Batch(NamedTuple):
    """One step: users, the pool of items, each row's positive in the pool, and hard items of its own: [rows, hard].

    `log_q` is that of the pool [pool], or with hard items that of both [rows, pool + hard]; -1 is no item.
    """

    users: Rows
    pool: Tensor
    target: Tensor
    log_q: Tensor
    hard: Tensor


class Embeds(Protocol):
    """What makes vectors with the weights of the moment."""

    def user_vectors(self, users: Rows) -> Tensor:
        """Return the vectors of rows of users: [rows, dimension]."""

    def item_vectors(self) -> Tensor:
        """Return the vectors of the catalogue: [items, dimension]."""


class PairsData(pytorch_lightning.LightningDataModule):
    """Training and validation pairs; what an epoch holds depends on the seed and its number alone.

    Of each batch of `size` rows, every process takes its part and holds it against the items of the whole batch, so
    several processes compute what one would; that needs no exchange, as each process has all pairs. The rows left over
    at the end of an epoch, fewer than a batch, wait for the next order. Hard items are mined at the beginning of each
    epoch but the first, by each process for its part, from the weights as they are then and the seed: a run that is
    resumed mines the same again. Raises ValueError where there are fewer rows.
    """

    def __init__(
        self,
        train: Pairs,
        valid: Pairs,
        items: int,
        *,
        size: int = 1024,
        negatives: Negatives | None = None,
        met: Met | None = None,
        seed: int = 0,
    ) -> None:
        """Take the pairs and the number of items of the catalogue.

        What the users of the training pairs `met` is none of their hard items; without it that is a row's own item.
        """
        super().__init__()
        if len(train.items) < size:
            raise ValueError(f"a batch has {size} rows, and there are {len(train.items)} to train on")
        self.train, self.valid, self.size, self.seed = train, valid, size, seed
        self.negatives = negatives or Negatives()
        self.met = met
        shares = popularity(train.items, items)
        self.draws = Draws(shares, self.negatives)
        self.log_q = log_inclusion(shares, size, self.negatives)

    def train_dataloader(self) -> "Epoch":
        """Return the batches of the epoch that begins; the trainer asks anew for each."""
        trainer = self.trainer
        if trainer is None:
            return Epoch(self, 0)
        embeds = cast("Embeds", trainer.lightning_module)
        return Epoch(self, trainer.current_epoch, trainer.global_rank, trainer.world_size, embeds)

    def mined(self, rows: Tensor, embeds: Embeds) -> Tensor:
        """Return the hard items of some of the training pairs: [rows, at most mined_pool], -1 where there are fewer."""
        positives = self.train.items.numpy()
        met = Met.of(np.arange(len(positives)), positives) if self.met is None else self.met
        users = embeds.user_vectors(self.train.users.take(rows)).cpu().numpy()
        found = mined_items(users, embeds.item_vectors().cpu().numpy(), met.take(rows.numpy()), self.negatives)
        return torch.from_numpy(found)

    def val_dataloader(self) -> "Slices":
        """Return the validation pairs of this process in slices; each process has to have some."""
        rank, processes = (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)
        return Slices(self.valid.take(slice(rank, None, processes)), self.size)


class Slices:
    """Pairs in their order, so many at a time."""

    def __init__(self, pairs: Pairs, size: int) -> None:
        """Take the pairs and the rows of a slice."""
        self._pairs, self._size = pairs, size

    def __len__(self) -> int:
        """Return the number of slices."""
        return len(range(0, len(self._pairs.items), self._size))

    def __iter__(self) -> Iterator[Pairs]:
        """Yield the slices."""
        for start in range(0, len(self._pairs.items), self._size):
            yield self._pairs.take(slice(start, start + self._size))


class Epoch:
    """The batches of one epoch, in an order of its own."""

    def __init__(
        self, data: PairsData, number: int, rank: int = 0, processes: int = 1, embeds: Embeds | None = None
    ) -> None:
        """Take the epoch's number, which of the processes this one is, and what makes the vectors to mine by."""
        self._data, self._embeds = data, embeds
        self._number, self._rank, self._processes = number, rank, processes

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._data.train.items) // self._data.size

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches."""
        data = self._data
        generator = torch.Generator().manual_seed(data.seed * 1_000_003 + self._number)
        order = torch.randperm(len(data.train.items), generator=generator)[: len(self) * data.size]
        steps = order.reshape(len(self), data.size)
        mine = slice(self._rank, None, self._processes)
        mined = self._mined(steps[:, mine])
        for step, rows in enumerate(steps):
            pool, target = pooled(data.train.items[rows], data.draws.joining(generator))
            users = data.train.users.take(rows[mine])
            if mined is None:
                yield Batch(users, pool, target[mine], data.log_q[pool], pool.new_empty(len(rows[mine]), 0))
                continue
            keys = torch.rand(data.size, mined.shape[2], generator=generator)[mine]
            hard = drawn(mined[step], keys, data.negatives.mined)
            yield Batch(users, pool, target[mine], with_mined(pool, hard, mined[step], data.log_q), hard)

    def _mined(self, steps: Tensor) -> Tensor | None:
        """Return the hard items of the rows of steps, [steps, rows, mined], or None where none are asked for yet."""
        if not self._data.negatives.mined or not self._number or self._embeds is None:
            return None
        return self._data.mined(steps.reshape(-1), self._embeds).reshape(*steps.shape, -1)
