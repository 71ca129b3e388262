"""Encoded rows as tensors."""

from typing import NamedTuple

import torch
from torch import Tensor

from mlsd_framework.runtime.tabular.encoding import Encoded


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
