"""Batches for a ranker: whole requests, sliced from tensors; no row is touched by Python."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytorch_lightning
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlsd_framework.runtime.retrieval.candidates import offsets_of
from mlsd_framework.runtime.tabular.encoding import Encoded
from mlsd_framework.runtime.tabular.rows import Rows


class Requests(NamedTuple):
    """The rows `offsets[i]:offsets[i + 1]` are the candidates of request `i`, with labels of 0 and 1: [rows]."""

    rows: Rows
    labels: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, encoded: Encoded, labels: NDArray[np.generic], request: NDArray[np.integer]) -> "Requests":
        """Return them from rows in any order, with the number of each row's request."""
        order = np.argsort(request, kind="stable")
        _, lengths = np.unique(request, return_counts=True)
        rows = Rows(torch.from_numpy(encoded.codes[order]), torch.from_numpy(encoded.values[order]))
        chosen = torch.from_numpy(labels[order].astype(np.float32))
        return cls(rows, chosen, torch.from_numpy(offsets_of(lengths)))

    @property
    def lengths(self) -> Tensor:
        """How many candidates each request has: [requests]."""
        return torch.diff(self.offsets)

    @property
    def places(self) -> tuple[Tensor, Tensor]:
        """The request of each row, and its place there, from 0: [rows] both."""
        request_of = torch.repeat_interleave(self.lengths)
        return request_of, torch.arange(len(self.labels), device=self.labels.device) - self.offsets[request_of]

    def take(self, requests: Tensor) -> "Requests":
        """Return some requests, whole, in the order of their numbers given."""
        lengths = self.lengths[requests]
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        shifts = self.offsets[requests] - offsets[:-1]
        rows = torch.arange(int(offsets[-1])) + torch.repeat_interleave(shifts, lengths)
        return Requests(self.rows.take(rows), self.labels[rows], offsets)


class RequestsData(pytorch_lightning.LightningDataModule):
    """Training and validation requests, so many a step; an epoch's order depends on the seed and its number alone."""

    def __init__(self, train: Requests, valid: Requests, *, size: int = 32, seed: int = 0) -> None:
        """Take the requests and how many of them a batch has."""
        super().__init__()
        self.train, self.valid, self.size, self.seed = train, valid, size, seed

    def train_dataloader(self) -> "Steps":
        """Return the batches of the epoch that begins, in an order of its own."""
        number = self.trainer.current_epoch if self.trainer is not None else 0
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        return Steps(self.train, torch.randperm(len(self.train.offsets) - 1, generator=generator), self.size)

    def val_dataloader(self) -> "Steps":
        """Return the validation requests in their order."""
        return Steps(self.valid, torch.arange(len(self.valid.offsets) - 1), self.size)


class Steps:
    """Requests in an order, so many at a time."""

    def __init__(self, requests: Requests, order: Tensor, size: int) -> None:
        """Take the requests, their order, and how many a step has."""
        self._requests, self._order, self._size = requests, order, size

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(range(0, len(self._order), self._size))

    def __iter__(self) -> Iterator[Requests]:
        """Yield the batches."""
        for start in range(0, len(self._order), self._size):
            yield self._requests.take(self._order[start : start + self._size])
