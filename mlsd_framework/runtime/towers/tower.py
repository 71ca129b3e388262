"""A tower: a network from encoded rows to vectors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from mlsd_framework.runtime.tabular.encoding import NULL, UNSEEN, RowEncoding
from mlsd_framework.runtime.tabular.features import Category, LastItems
from mlsd_framework.runtime.tabular.layers import lookup_of, perceptron


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

    def __init__(self, encoding: RowEncoding, tables: Mapping[str, nn.Embedding], shape: Shape) -> None:
        """Take the tables of embeddings by name, which the other tower may share."""
        super().__init__()
        self.encoding = encoding
        self.shape = shape
        lookups = [(one, place) for one, place in encoding.places if isinstance(one, Category | LastItems)]
        self.columns = [place for _, place in lookups]
        self.lookups = nn.ModuleList(lookup_of(one, tables[one.embedding]) for one, _ in lookups)
        dimensions = [encoding.vocabularies[one.embedding].dimension for one, _ in lookups]
        self.network = perceptron(sum(dimensions) + encoding.widths[1], shape.layers, shape.dimension)

    def forward(self, codes: Tensor, values: Tensor) -> Tensor:
        """Return the vectors [rows, dimension] of codes [rows, codes] and values [rows, values]."""
        if self.training and self.shape.hidden_ids > 0:
            hidden = (torch.rand(codes.shape, device=codes.device) < self.shape.hidden_ids) & (codes != NULL)
            codes = codes.masked_fill(hidden, UNSEEN)
        found = [lookup(codes[:, place]) for lookup, place in zip(self.lookups, self.columns, strict=True)]
        vectors: Tensor = self.network(torch.cat([*found, values], dim=1))
        return nn.functional.normalize(vectors, dim=1) if self.shape.similarity == "cosine" else vectors
