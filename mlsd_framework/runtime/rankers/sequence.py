"""A network that reads the user's last items by how they bear on the candidate (DIN: Zhou et al., KDD 2018)."""

import torch
from torch import Tensor, nn

from mlsd_framework.runtime.rankers.fields import Fields, Shape
from mlsd_framework.runtime.tabular.encoding import NULL, RowEncoding
from mlsd_framework.runtime.tabular.features import Category, LastItems
from mlsd_framework.runtime.tabular.layers import perceptron

_ATTENTION = (32,)  # the hidden layer that weighs an item of the history


class Sequence(nn.Module):
    """Each last item is weighed by a perceptron of itself and the candidate; the weighed sum stands for the user.

    As in the paper weights are not normalised, so that a user with much that bears on the candidate differs from one
    with little. A learned bias a place says how much the order counts.
    """

    def __init__(self, encoding: RowEncoding, shape: Shape) -> None:
        """Take how rows are encoded, and the form of the last perceptron.

        Raises ValueError where the features are not one list and one candidate of the same vocabulary, among others.
        """
        super().__init__()
        lists = [(one, place) for one, place in encoding.places if isinstance(one, LastItems)]
        vocabulary = lists[0][0].embedding if lists else ""
        candidates = [
            place for one, place in encoding.places if isinstance(one, Category) and one.embedding == vocabulary
        ]
        if len(lists) != 1 or len(candidates) != 1:
            raise ValueError("a network of sequences reads one list, and one category of the same vocabulary")
        self.history, self.candidate = lists[0][1], candidates[0].start
        self.fields = Fields(encoding)
        self.items = self.fields.tables[vocabulary]
        self.weigh = perceptron(4 * self.fields.dimension, _ATTENTION, 1)
        self.recency = nn.Parameter(torch.zeros(lists[0][0].length))
        # The list stands among the fields too, as the mean that a network without attention would have.
        width = (self.fields.count + 1) * self.fields.dimension + encoding.widths[1]
        self.top = perceptron(width, shape.layers, 1, shape.dropout)

    def forward(self, codes: Tensor, values: Tensor) -> Tensor:
        """Return scores [rows] of codes [rows, codes] and values [rows, values]."""
        last = codes[:, self.history]
        had = self.items(last)
        asked = self.items(codes[:, self.candidate]).unsqueeze(1).expand_as(had)
        weights = self.weigh(torch.cat([had, asked, had * asked, had - asked], dim=2))[:, :, 0] + self.recency
        weights = weights * (last != NULL)
        interest = (weights.unsqueeze(2) * had).sum(1)
        scores: Tensor = self.top(torch.cat([interest, self.fields(codes).flatten(1), values], dim=1))
        return scores[:, 0]
