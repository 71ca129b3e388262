"""DLRM (Naumov et al. 2019): numbers become a vector, and products of all pairs of vectors are what is learned from."""

from typing import Final

import torch
from torch import Tensor, nn

from mlsd_framework.runtime.rankers.fields import Fields, Shape
from mlsd_framework.runtime.tabular.encoding import RowEncoding
from mlsd_framework.runtime.tabular.layers import perceptron

_OF_NUMBERS: Final = 8  # the length of the vector where there is no category


class Dlrm(nn.Module):
    """A bottom perceptron of numbers, products of vectors, a top perceptron of the bottom's vector and the products."""

    def __init__(self, encoding: RowEncoding, shape: Shape) -> None:
        """Take how rows are encoded, and the form of both perceptrons."""
        super().__init__()
        self.fields = Fields(encoding)
        dimension = self.fields.dimension or _OF_NUMBERS
        numbers = encoding.widths[1]
        self.bottom = perceptron(numbers, shape.layers, dimension, shape.dropout) if numbers else None
        vectors = self.fields.count + bool(numbers)
        pairs = torch.tril_indices(vectors, vectors, -1 if vectors > 1 else 0)  # one alone has its square
        self.register_buffer("pairs", pairs[0] * vectors + pairs[1], persistent=False)
        width = pairs.shape[1] + (dimension if numbers else 0)
        self.top = perceptron(width, shape.layers, 1, shape.dropout)

    def forward(self, codes: Tensor, values: Tensor) -> Tensor:
        """Return scores [rows] of codes [rows, codes] and values [rows, values]."""
        vectors = self.fields(codes)
        top = []
        if self.bottom is not None:
            bottom = self.bottom(values)
            top.append(bottom)
            vectors = torch.cat([bottom.unsqueeze(1), vectors], dim=1) if self.fields.count else bottom.unsqueeze(1)
        top.append((vectors @ vectors.transpose(1, 2)).flatten(1)[:, self.pairs])
        scores: Tensor = self.top(torch.cat(top, dim=1))[:, 0]
        return scores
