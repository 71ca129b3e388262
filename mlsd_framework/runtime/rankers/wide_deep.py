"""Wide & Deep (Cheng et al., DLRS 2016): a linear model that remembers crosses, beside a network that generalises."""

from itertools import combinations
from typing import Final

import torch
from torch import Tensor, nn

from mlsd_framework.runtime.rankers.fields import Fields, Linear, Shape
from mlsd_framework.runtime.tabular.encoding import RowEncoding
from mlsd_framework.runtime.tabular.layers import perceptron

_BUCKETS: Final = 4_096  # weights for the crosses of a pair of categories
_PRIME: Final = 10_007


class WideDeep(nn.Module):
    """The sum of both; the paper crosses pairs of categories by hand, here all are, hashed to buckets."""

    firsts: Tensor

    def __init__(self, encoding: RowEncoding, shape: Shape) -> None:
        """Take how rows are encoded, and the form of the deep part."""
        super().__init__()
        self.linear = Linear(encoding)
        pairs = list(combinations(self.linear.columns, 2))
        self.lefts, self.rights = [left for left, _ in pairs], [right for _, right in pairs]
        self.register_buffer("firsts", torch.arange(len(pairs)) * _BUCKETS, persistent=False)
        self.crosses = nn.Embedding(max(len(pairs), 1) * _BUCKETS, 1)
        nn.init.zeros_(self.crosses.weight)
        self.fields = Fields(encoding)
        width = self.fields.count * self.fields.dimension + encoding.widths[1]
        self.deep = perceptron(width, shape.layers, 1, shape.dropout)

    def forward(self, codes: Tensor, values: Tensor) -> Tensor:
        """Return scores [rows] of codes [rows, codes] and values [rows, values]."""
        wide: Tensor = self.linear(codes, values)
        if self.lefts:
            hashed = (codes[:, self.lefts].long() * _PRIME + codes[:, self.rights].long()) % _BUCKETS
            wide = wide + self.crosses(hashed + self.firsts)[:, :, 0].sum(1)
        deep: Tensor = self.deep(torch.cat([self.fields(codes).flatten(1), values], dim=1))
        return wide + deep[:, 0]
