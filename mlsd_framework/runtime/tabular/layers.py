"""Layers over encoded rows: lookups of vectors, pooled lists of them, a multilayer perceptron."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from mlsd_framework.runtime.tabular.encoding import NULL, Vocabulary
from mlsd_framework.runtime.tabular.features import Category, LastItems


class One(nn.Module):
    """The vector of one code a row."""

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.table = table

    def forward(self, codes: Tensor) -> Tensor:
        """Return [rows, dimension] of [rows, 1]."""
        vectors: Tensor = self.table(codes[:, 0])
        return vectors


class Mean(nn.Module):
    """The mean of the vectors of a list; zeros where it is empty."""

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.table = table

    def forward(self, codes: Tensor) -> Tensor:
        """Return [rows, dimension] of [rows, length]."""
        present = (codes != NULL).to(torch.float32).unsqueeze(-1)
        pooled: Tensor = (self.table(codes) * present).sum(1) / present.sum(1).clamp(min=1.0)
        return pooled


class Attention(nn.Module):
    """A weighted mean of the vectors of a list, by a learned query and a learned bias a place; zeros where empty."""

    def __init__(self, table: nn.Embedding, length: int) -> None:
        super().__init__()
        self.table = table
        self.query = nn.Parameter(torch.zeros(table.embedding_dim))
        self.recency = nn.Parameter(torch.zeros(length))

    def forward(self, codes: Tensor) -> Tensor:
        """Return [rows, dimension] of [rows, length], newest first."""
        present = codes != NULL
        vectors = self.table(codes)
        scores = (vectors * self.query).sum(-1) + self.recency
        weights = torch.softmax(scores.masked_fill(~present, -1e9), dim=1) * present
        pooled: Tensor = (vectors * weights.unsqueeze(-1)).sum(1)
        return pooled


def tables(vocabularies: Mapping[str, Vocabulary]) -> dict[str, nn.Embedding]:
    """Return a table of vectors for each vocabulary, of length about 1 at first."""
    made = {name: nn.Embedding(one.size, one.dimension) for name, one in vocabularies.items()}
    for table in made.values():
        nn.init.normal_(table.weight, std=table.embedding_dim**-0.5)
    return made


def lookup_of(feature: Category | LastItems, table: nn.Embedding) -> nn.Module:
    """Return what makes one vector a row, [rows, dimension], of a feature's codes."""
    if isinstance(feature, Category):
        return One(table)
    if feature.pooling == "mean":
        return Mean(table)
    return Attention(table, feature.length)


def perceptron(width: int, layers: Sequence[int], out: int, dropout: float = 0.0) -> nn.Sequential:
    """Return a network from `width` inputs by hidden layers to `out` numbers."""
    widths = [width, *layers]
    hidden: list[nn.Module] = []
    for before, after in pairwise(widths):
        hidden += [nn.Linear(before, after), nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
    return nn.Sequential(*hidden, nn.Linear(widths[-1], out))
