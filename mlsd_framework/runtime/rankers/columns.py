"""From the columns that a service has of candidates to encoded rows, whole columns at a time, by numpy alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.tabular.encoding import KNOWN, NULL, UNSEEN, Encoded, RowEncoding, Vocabulary
from mlsd_framework.runtime.tabular.features import Category, Given, LastItems, Number


def encoded(encoding: RowEncoding, columns: Sequence[Any], rows: int) -> Encoded:
    """Return columns in the order of the features as rows, as `RowEncoding.encode` has them of a frame.

    A column is an array [rows] of numbers with NaN for null or of objects, or one value for all rows, None for null.
    Categories of an integer vocabulary and last items, [rows, length] from the newest to the oldest, are integers,
    below 0 where there is none. Vectors are [rows, width], those of null NaN. Raises RunError E6453.
    """
    features = encoding.features
    if len(columns) != len(features):
        names = ", ".join(one.name for one in features)
        raise RunError.of("E6453", f"a table has {len(columns)} columns", expected=f"{len(features)}: {names}")
    codes = np.zeros((rows, encoding.widths[0]), np.int32)
    values = np.zeros((rows, encoding.widths[1]), np.float32)
    for (feature, place), column in zip(encoding.places, columns, strict=True):
        try:
            match feature:
                case Category():
                    codes[:, place.start] = _codes(encoding.vocabularies[feature.embedding], column)
                case LastItems():
                    found = _integers(encoding.vocabularies[feature.embedding], np.asarray(column))
                    codes[:, place] = found[..., : feature.length]
                case Number():
                    values[:, place] = _number(column, *encoding.moments[feature.name])
                case Given():
                    values[:, place] = _vector(column, feature.width)
        except (TypeError, ValueError) as fault:
            raise RunError.of("E6453", f"`{feature.name}` does not fit {rows} rows: {fault}") from fault
    return Encoded(codes, values)


def _codes(vocabulary: Vocabulary, column: Any) -> NDArray[np.int32] | int:  # noqa: ANN401 - an array or a value
    if not isinstance(column, np.ndarray):
        return vocabulary.code(column)
    if column.dtype.kind in "iuf":
        return _integers(vocabulary, column)
    code_of = vocabulary.code_of
    return np.array([NULL if one is None else code_of.get(one, UNSEEN) for one in column.tolist()], np.int32)


def _integers(vocabulary: Vocabulary, column: NDArray[Any]) -> NDArray[np.int32]:
    """Return the codes of integers of any shape; the values of a vocabulary rise."""
    known = np.array(vocabulary.values, np.int64)
    absent = ~(column >= 0)  # NaN too
    wanted = np.where(absent, 0, column).astype(np.int64)
    place = np.searchsorted(known, wanted)
    hit = place < len(known)
    hit[hit] = known[place[hit]] == wanted[hit]
    return np.where(absent, NULL, np.where(hit, place + KNOWN, UNSEEN)).astype(np.int32)


def _number(column: Any, mean: float, deviation: float) -> NDArray[np.float64]:  # noqa: ANN401 - an array or a value
    numbers = np.asarray(np.nan if column is None else column, np.float64)
    known = np.isfinite(numbers)
    return np.stack([(np.where(known, numbers, mean) - mean) / deviation, ~known], axis=-1)


def _vector(column: Any, width: int) -> NDArray[np.float32]:  # noqa: ANN401 - an array or a value
    vectors = np.full(width, np.nan, np.float32) if column is None else np.asarray(column, np.float32)
    null = np.isnan(vectors[..., :1])
    return np.concatenate([np.where(null, np.float32(0), vectors), null.astype(np.float32)], axis=-1)
