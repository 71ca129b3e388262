"""DeepFM (Guo et al., IJCAI 2017): a factorization machine and a network over the same vectors."""

from typing import Final

import torch
from torch import Tensor, nn

from mlsd_framework.runtime.rankers.fields import Fields, Linear, Shape
from mlsd_framework.runtime.tabular.encoding import RowEncoding
from mlsd_framework.runtime.tabular.layers import perceptron

_DEVIATION: Final = 0.05  # the machine sums over all pairs of fields, which longer vectors would let drown the rest
_OF_NUMBERS: Final = 8  # the length of vectors where there is no category


class DeepFM(nn.Module):
    """Linear weights, products of all pairs of fields, and a perceptron; a number is its vector times its value."""

    def __init__(self, encoding: RowEncoding, shape: Shape) -> None:
        """Take how rows are encoded, and the form of the deep part."""
        super().__init__()
        self.linear = Linear(encoding)
        self.fields = Fields(encoding, _DEVIATION)
        dimension = self.fields.dimension or _OF_NUMBERS
        self.numbers = nn.Parameter(torch.randn(encoding.widths[1], dimension) * _DEVIATION)
        # The perceptron gets values as they are: a value times a vector, through a layer, is no more than that.
        width = self.fields.count * self.fields.dimension + encoding.widths[1]
        self.deep = perceptron(width, shape.layers, 1, shape.dropout)

    def forward(self, codes: Tensor, values: Tensor) -> Tensor:
        """Return scores [rows] of codes [rows, codes] and values [rows, values]."""
        found = self.fields(codes)
        deep: Tensor = self.deep(torch.cat([found.flatten(1), values], dim=1))
        # The sum over pairs by two sums over fields (Rendle 2010): half of (sum of all)² less the sum of squares.
        whole = values @ self.numbers
        squares = values.square() @ self.numbers.square()
        if self.fields.count:
            whole = whole + found.sum(1)
            squares = squares + found.square().sum(1)
        pairs = 0.5 * (whole.square() - squares).sum(1)
        scores: Tensor = self.linear(codes, values) + pairs + deep[:, 0]
        return scores
