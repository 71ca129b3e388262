"""Learning how rows are encoded, from frames: vocabularies, means and deviations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.tabular.encoding import RowEncoding, Vocabulary, listed, plain
from mlsd_framework.runtime.tabular.features import Category, Embedding, Feature, LastItems, Number

if TYPE_CHECKING:
    import polars as pl


def learn_one(features: tuple[Feature, ...], embeddings: Sequence[Embedding], frame: "pl.DataFrame") -> RowEncoding:
    """Learn the encoding of one frame that has all features; faults are those of `learn_shared`."""
    (encoding,) = learn_shared(embeddings, (features, frame))
    return encoding


def learn_shared(
    embeddings: Sequence[Embedding], *sides: tuple[tuple[Feature, ...], "pl.DataFrame"]
) -> tuple[RowEncoding, ...]:
    """Learn the encoding of each side, which all share the vocabularies: its features, and a frame that has them.

    A value's count, which its vocabulary's `minimum` is held against, is over all features that share the vocabulary.
    Raises RunError E6325 where a column is missing or of a type that its feature does not take.
    """
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
        RowEncoding(
            features, vocabularies, {one.name: _moments(frame[one.name]) for one in features if isinstance(one, Number)}
        )
        for features, frame in sides
    )


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
