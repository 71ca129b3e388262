"""Learning the encoding of both towers, or of one network, from frames: vocabularies, means and deviations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.towers.encoding import TowerEncoding, Vocabulary, listed, plain
from mlsd_framework.runtime.towers.features import Category, Embedding, Feature, LastItems, Number, Towers

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Encoding:
    """How rows of users and rows of items are encoded; their vocabularies are the same ones."""

    user: TowerEncoding
    item: TowerEncoding


def learn(towers: Towers, users: "pl.DataFrame", items: "pl.DataFrame") -> Encoding:
    """Learn the encoding from the training rows of users, a row an event, and the catalogue, a row an item.

    A value's count, which its vocabulary's `minimum` is held against, is over all features that share the vocabulary.
    Raises RunError E6325 where a column is missing or of a type that its feature does not take.
    """
    user, item = _learned(towers.embeddings, (towers.user, users), (towers.item, items))
    return Encoding(user, item)


def learn_one(features: tuple[Feature, ...], embeddings: Sequence[Embedding], frame: "pl.DataFrame") -> TowerEncoding:
    """Learn the encoding of one frame that has all features, as a ranker reads them; faults are those of `learn`."""
    (encoding,) = _learned(embeddings, (features, frame))
    return encoding


def _learned(
    embeddings: Sequence[Embedding], *sides: tuple[tuple[Feature, ...], "pl.DataFrame"]
) -> tuple[TowerEncoding, ...]:
    """Return the encoding of each side; all of them share the vocabularies."""
    for features, frame in sides:
        missing = [one.name for one in features if one.name not in frame.columns]
        if missing:
            raise RunError.of("E6325", f"the frame lacks {', '.join(f'`{name}`' for name in missing)}")
    vocabularies = {}
    for embedding in embeddings:
        columns = [
            _flat(one, frame[one.name])
            for features, frame in sides
            for one in features
            if isinstance(one, Category | LastItems) and one.embedding == embedding.name
        ]
        vocabularies[embedding.name] = Vocabulary(embedding.dimension, _values(columns, embedding.minimum))
    return tuple(
        TowerEncoding(
            features, vocabularies, {one.name: _moments(frame[one.name]) for one in features if isinstance(one, Number)}
        )
        for features, frame in sides
    )


def item_codes(catalogue: "pl.Series", items: "pl.Series") -> NDArray[np.int64]:
    """Return the place in the catalogue of each of `items`: [rows]; raises RunError E6325 where one is not in it."""
    import polars as pl  # noqa: PLC0415 - heavy

    found = items.replace_strict(catalogue, np.arange(len(catalogue)), default=None, return_dtype=pl.Int64)
    if found.null_count():
        raise RunError.of("E6325", f"`{items.filter(found.is_null())[0]}` is not in the catalogue")
    return found.to_numpy(writable=True)


def _flat(feature: Feature, column: "pl.Series") -> "pl.Series":
    return plain(listed(column).explode() if isinstance(feature, LastItems) else column).drop_nulls()


def _values(columns: "list[pl.Series]", minimum: int) -> tuple[Any, ...]:
    """Return the values that are frequent enough, in order."""
    import polars as pl  # noqa: PLC0415 - heavy

    kept = [column.rename("value") for column in columns if column.dtype != pl.Null]
    if len({column.dtype for column in kept}) > 1:
        names = ", ".join(f"`{column.name}`" for column in columns)
        raise RunError.of("E6325", f"{names} share a vocabulary, and some are text, others integers")
    if not kept:
        return ()
    counts = pl.concat(kept).value_counts(name="count")
    return tuple(counts.filter(pl.col("count") >= minimum)["value"].sort().to_list())


def _moments(column: "pl.Series") -> tuple[float, float]:
    import polars as pl  # noqa: PLC0415 - heavy

    numbers = column.cast(pl.Float64).drop_nulls().to_numpy()
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return 0.0, 1.0
    return float(numbers.mean()), float(numbers.std()) or 1.0
