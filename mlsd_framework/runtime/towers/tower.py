"""A tower: a network from encoded rows to vectors."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from mlsd_framework.runtime.towers.encoding import NULL, UNSEEN, TowerEncoding, Vocabulary
from mlsd_framework.runtime.towers.features import Category, LastItems


@dataclass(frozen=True, slots=True)
class Shape:
    """The form of both towers: the vectors' length, the hidden layers, and how two vectors are compared.

    `cosine` compares directions and divides by `temperature`; `dot` also knows lengths, which popular items use.
    While training, the share `hidden_ids` of codes reads as unseen, so that the vector of unseen values means something
    and new items live by their other features (DropoutNet: Volkovs et al., NeurIPS 2017).
    """

    dimension: int = 64
    layers: tuple[int, ...] = (128,)
    similarity: Literal["cosine", "dot"] = "cosine"
    temperature: float = 0.05
    hidden_ids: float = 0.0


class Tower(nn.Module):
    """Embeddings, pooled lists and values side by side, then a multilayer perceptron; vectors of length 1 if cosine."""

    def __init__(self, encoding: TowerEncoding, tables: Mapping[str, nn.Embedding], shape: Shape) -> None:
        """Take the tables of embeddings by name, which the other tower may share."""
        super().__init__()
        self.encoding = encoding
        self.shape = shape
        lookups = [(one, place) for one, place in encoding.places if isinstance(one, Category | LastItems)]
        self.columns = [place for _, place in lookups]
        self.lookups = nn.ModuleList(lookup_of(one, tables[one.embedding]) for one, _ in lookups)
        dimensions = [encoding.vocabularies[one.embedding].dimension for one, _ in lookups]
        widths = [sum(dimensions) + encoding.widths[1], *shape.layers]
        hidden = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.network = nn.Sequential(*hidden, nn.Linear(widths[-1], shape.dimension))

    def forward(self, codes: Tensor, values: Tensor) -> Tensor:
        """Return the vectors [rows, dimension] of codes [rows, codes] and values [rows, values]."""
        if self.training and self.shape.hidden_ids > 0:
            hidden = (torch.rand(codes.shape, device=codes.device) < self.shape.hidden_ids) & (codes != NULL)
            codes = codes.masked_fill(hidden, UNSEEN)
        found = [lookup(codes[:, place]) for lookup, place in zip(self.lookups, self.columns, strict=True)]
        vectors: Tensor = self.network(torch.cat([*found, values], dim=1))
        return nn.functional.normalize(vectors, dim=1) if self.shape.similarity == "cosine" else vectors


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
