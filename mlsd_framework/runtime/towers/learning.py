"""Learning the encoding of both towers from frames."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.tabular.encoding import RowEncoding
from mlsd_framework.runtime.tabular.learning import learn_shared
from mlsd_framework.runtime.towers.features import Towers

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Encoding:
    """How rows of users and rows of items are encoded; their vocabularies are the same ones."""

    user: RowEncoding
    item: RowEncoding


def learn(towers: Towers, users: "pl.DataFrame", items: "pl.DataFrame") -> Encoding:
    """Learn the encoding from the training rows of users, a row an event, and the catalogue, a row an item.

    A value's count, which its vocabulary's `minimum` is held against, is over all features that share the vocabulary.
    Raises RunError E6325 where a column is missing or of a type that its feature does not take.
    """
    user, item = learn_shared(towers.embeddings, (towers.user, users), (towers.item, items))
    return Encoding(user, item)


def item_codes(catalogue: "pl.Series", items: "pl.Series") -> NDArray[np.int64]:
    """Return the place in the catalogue of each of `items`: [rows]; raises RunError E6325 where one is not in it."""
    import polars as pl  # noqa: PLC0415 - heavy

    found = items.replace_strict(catalogue, np.arange(len(catalogue)), default=None, return_dtype=pl.Int64)
    if found.null_count():
        raise RunError.of("E6325", f"`{items.filter(found.is_null())[0]}` is not in the catalogue")
    return found.to_numpy(writable=True)
