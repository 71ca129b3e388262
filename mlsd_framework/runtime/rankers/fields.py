"""What the networks share: the vectors of a row's categories, and weights of its values."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mlsd_framework.runtime.tabular.encoding import RowEncoding
from mlsd_framework.runtime.tabular.features import Category, LastItems
from mlsd_framework.runtime.tabular.layers import lookup_of


@dataclass(frozen=True, slots=True)
class Shape:
    """The form of a network: the widths of its hidden layers, and the share of them that training drops."""

    layers: tuple[int, ...] = (128, 64)
    dropout: float = 0.0


class Fields(nn.Module):
    """The vectors of categories and of pooled lists; features that name one vocabulary share its table.

    `deviation` is that of the first weights; by default vectors have length 1 or so.
    """

    def __init__(self, encoding: RowEncoding, deviation: float | None = None) -> None:
        """Make a table for each vocabulary. Raises ValueError where their vectors differ in length."""
        super().__init__()
        lookups = [(one, place) for one, place in encoding.places if isinstance(one, Category | LastItems)]
        dimensions = {encoding.vocabularies[one.embedding].dimension for one, _ in lookups}
        if len(dimensions) > 1:
            raise ValueError(f"the vectors of all categories have one length, not {sorted(dimensions)}")
        self.dimension = dimensions.pop() if dimensions else 0
        self.count = len(lookups)
        tables: dict[str, nn.Embedding] = {}
        for name in dict.fromkeys(one.embedding for one, _ in lookups):
            tables[name] = nn.Embedding(encoding.vocabularies[name].size, self.dimension)
            nn.init.normal_(tables[name].weight, std=deviation or self.dimension**-0.5)
        self.columns = [place for _, place in lookups]
        self.lookups = nn.ModuleList(lookup_of(one, tables[one.embedding]) for one, _ in lookups)
        self.tables = tables

    def forward(self, codes: Tensor) -> Tensor:
        """Return the vectors [rows, fields, dimension] of codes [rows, codes]."""
        if not self.count:
            return codes.new_zeros((len(codes), 0, 0), dtype=torch.float32)
        found = [lookup(codes[:, place]) for lookup, place in zip(self.lookups, self.columns, strict=True)]
        return torch.stack(found, dim=1)


class Linear(nn.Module):
    """A weight for each category and for each value: what a linear model knows."""

    firsts: Tensor

    def __init__(self, encoding: RowEncoding) -> None:
        """Make one table of all weights; lists have none."""
        super().__init__()
        categories = [(one, place.start) for one, place in encoding.places if isinstance(one, Category)]
        sizes = [encoding.vocabularies[one.embedding].size for one, _ in categories]
        self.columns = [column for _, column in categories]
        self.register_buffer("firsts", torch.tensor([sum(sizes[:i]) for i in range(len(sizes))]), persistent=False)
        self.weights = nn.Embedding(max(sum(sizes), 1), 1)
        nn.init.zeros_(self.weights.weight)
        self.values = nn.Parameter(torch.zeros(encoding.widths[1]))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, codes: Tensor, values: Tensor) -> Tensor:
        """Return scores [rows] of codes [rows, codes] and values [rows, values]."""
        scores: Tensor = values @ self.values + self.bias
        if not self.columns:
            return scores
        weights: Tensor = self.weights(codes[:, self.columns] + self.firsts)
        return scores + weights[:, :, 0].sum(1)
