"""Batches for a two-tower model, sliced whole from tensors: no row is touched by Python."""

from collections.abc import Iterator
from typing import NamedTuple

import pytorch_lightning
import torch
from torch import Tensor

from mlsd_framework.runtime.towers.encoding import Encoded
from mlsd_framework.runtime.towers.negatives import Draws, Negatives, log_inclusion, pooled, popularity


class Rows(NamedTuple):
    """Encoded rows as tensors: codes [rows, codes], values [rows, values]."""

    codes: Tensor
    values: Tensor

    @classmethod
    def of(cls, encoded: Encoded) -> "Rows":
        """Return encoded rows without a copy."""
        return cls(torch.from_numpy(encoded.codes), torch.from_numpy(encoded.values))

    def take(self, rows: Tensor | slice) -> "Rows":
        """Return some of the rows."""
        return Rows(self.codes[rows], self.values[rows])

    def to(self, device: torch.device) -> "Rows":
        """Return them on a device."""
        return Rows(self.codes.to(device), self.values.to(device))


class Pairs(NamedTuple):
    """Who took what: rows of users, and the item of each by its place in the catalogue: [rows], int64."""

    users: Rows
    items: Tensor

    def take(self, rows: Tensor | slice) -> "Pairs":
        """Return some of the pairs."""
        return Pairs(self.users.take(rows), self.items[rows])


class Batch(NamedTuple):
    """One step: users, the pool of items, each row's positive in the pool, log Q [pool], and where to mine."""

    users: Rows
    pool: Tensor
    target: Tensor
    log_q: Tensor
    mineable: Tensor


class PairsData(pytorch_lightning.LightningDataModule):
    """Training and validation pairs; what an epoch holds depends on the seed and its number alone.

    Of each batch of `size` rows, every process takes its part and holds it against the items of the whole batch, so
    several processes compute what one would; that needs no exchange, as each process has all pairs. The rows left over
    at the end of an epoch, fewer than a batch, wait for the next order. Raises ValueError where there are fewer rows.
    """

    def __init__(
        self,
        train: Pairs,
        valid: Pairs,
        items: int,
        *,
        size: int = 1024,
        negatives: Negatives | None = None,
        seed: int = 0,
    ) -> None:
        """Take the pairs and the number of items of the catalogue."""
        super().__init__()
        if len(train.items) < size:
            raise ValueError(f"a batch has {size} rows, and there are {len(train.items)} to train on")
        self.train, self.valid, self.size, self.seed = train, valid, size, seed
        self.negatives = negatives or Negatives()
        shares = popularity(train.items, items)
        self.draws = Draws(shares, self.negatives)
        self.log_q = log_inclusion(shares, size, self.negatives)

    def train_dataloader(self) -> "Epoch":
        """Return the batches of the epoch that begins; the trainer asks anew for each."""
        trainer = self.trainer
        if trainer is None:
            return Epoch(self, 0)
        return Epoch(self, trainer.current_epoch, trainer.global_rank, trainer.world_size)

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

    def __init__(self, data: PairsData, number: int, rank: int = 0, processes: int = 1) -> None:
        """Take the epoch's number and which of the processes this one is."""
        self._data = data
        self._number, self._rank, self._processes = number, rank, processes

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._data.train.items) // self._data.size

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches."""
        data = self._data
        generator = torch.Generator().manual_seed(data.seed * 1_000_003 + self._number)
        order = torch.randperm(len(data.train.items), generator=generator)
        mine = slice(self._rank, None, self._processes)
        for step in range(len(self)):
            rows = order[step * data.size : (step + 1) * data.size]
            pool, target = pooled(data.train.items[rows], data.draws.joining(generator))
            mineable = data.draws.mineable(pool, generator)
            yield Batch(data.train.users.take(rows[mine]), pool, target[mine], data.log_q[pool], mineable)
