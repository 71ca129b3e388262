"""The data profile: what each feature of the training set looks like."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

_BINS = 24
_TOP = 3
_TAIL = 0.005


@dataclass(frozen=True, slots=True)
class FeatureProfile:
    """One feature; numbers have a range and a histogram, other types their most frequent values."""

    name: str
    dtype: str
    nulls: float
    low: float | None = None
    median: float | None = None
    high: float | None = None
    histogram: tuple[int, ...] = ()
    top: tuple[tuple[str, float], ...] = ()
    distinct: int | None = None


def profile(frame: "pl.DataFrame") -> tuple[FeatureProfile, ...]:
    """Return the profile of each column, in order."""
    return tuple(_numbers(column) if column.dtype.is_numeric() else _values(column) for column in frame.get_columns())


def _numbers(column: "pl.Series") -> FeatureProfile:
    values = column.cast(float).to_numpy()
    finite = values[np.isfinite(values)]
    nulls = 1 - len(finite) / max(len(values), 1)
    if not len(finite):
        return FeatureProfile(column.name, str(column.dtype), nulls)
    # The histogram leaves out the outermost half percent on each side, or one outlier would flatten the rest.
    low, high = np.quantile(finite, [_TAIL, 1 - _TAIL]).tolist()
    inside = finite[(finite >= low) & (finite <= high)]
    counts, _ = np.histogram(inside, bins=_BINS, range=(low, high if high > low else low + 1))
    return FeatureProfile(
        column.name,
        str(column.dtype),
        nulls,
        float(finite.min()),
        float(np.median(finite)),
        float(finite.max()),
        tuple(counts.tolist()),
    )


def _values(column: "pl.Series") -> FeatureProfile:
    rows = max(len(column), 1)
    counted = column.drop_nulls().cast(str).value_counts(sort=True, name="rows")
    top = tuple((str(value), count / rows) for value, count in counted.head(_TOP).iter_rows())
    return FeatureProfile(column.name, str(column.dtype), column.null_count() / rows, top=top, distinct=counted.height)
