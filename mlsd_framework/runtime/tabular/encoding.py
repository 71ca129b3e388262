"""From rows of features to the two arrays of a network; the same for a training set, a catalogue and one request.

Needs numpy alone; polars only where frames come in.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.tabular.features import Category, Feature, Given, LastItems, Number, places, width_of

if TYPE_CHECKING:
    import polars as pl

NULL: Final = 0
"""The code of null, and of the places that a list does not fill."""
UNSEEN: Final = 1
"""The code of a value that is not in the vocabulary."""
KNOWN: Final = 2
"""The code of the first value of a vocabulary."""

_KINDS: Final = {kind.__name__: kind for kind in (Category, Number, LastItems, Given)}


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows for a network: codes of categories and lists [rows, codes], numbers, vectors and flags [rows, values]."""

    codes: NDArray[np.int32]
    values: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.codes)

    def take(self, rows: NDArray[np.integer]) -> "Encoded":
        """Return some of the rows."""
        return Encoded(self.codes[rows], self.values[rows])


@dataclass(frozen=True)
class Vocabulary:
    """The values that have a vector of their own, all text or all integers, and the vectors' length."""

    dimension: int
    values: tuple[str, ...] | tuple[int, ...]

    @property
    def size(self) -> int:
        """How many vectors there are, those of null and of unseen values included."""
        return len(self.values) + KNOWN

    @cached_property
    def code_of(self) -> dict[str | int, int]:
        """The code of each value."""
        values: tuple[str | int, ...] = self.values
        return {value: code for code, value in enumerate(values, KNOWN)}

    def code(self, value: object) -> int:
        """Return the code of one value."""
        return NULL if value is None else self.code_of.get(value, UNSEEN)  # type: ignore[call-overload]

    def codes(self, column: "pl.Series") -> NDArray[np.int32]:
        """Return the codes of a column [rows]; raises RunError E6325 where it has another type than the vocabulary."""
        import polars as pl  # noqa: PLC0415 - heavy

        column = plain(column)
        if column.dtype == pl.Null or not len(column):
            return np.full(len(column), NULL, np.int32)
        text = bool(self.values) and isinstance(self.values[0], str)
        if self.values and text != (column.dtype == pl.String):
            raise RunError.of(
                "E6325",
                f"`{column.name}` is of type {column.dtype}",
                expected="text" if text else "integers, as its vocabulary was learned",
            )
        known = pl.Series(self.values, dtype=pl.String if text else pl.Int64)
        found = column.replace_strict(known, np.arange(KNOWN, self.size), default=UNSEEN, return_dtype=pl.Int32)
        return np.where(column.is_null().to_numpy(), NULL, found.to_numpy()).astype(np.int32)


def plain(column: "pl.Series") -> "pl.Series":
    """Return a column of categories as text or 64-bit integers; raises RunError E6325 for a type that is neither."""
    import polars as pl  # noqa: PLC0415 - heavy

    if isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    if column.dtype == pl.Null:
        return column
    if column.dtype.is_integer() or column.dtype == pl.Boolean:
        return column.cast(pl.Int64)
    raise RunError.of(
        "E6325", f"`{column.name}` is of type {column.dtype}", expected="text, integers or booleans as a category"
    )


def listed(column: "pl.Series") -> "pl.Series":
    """Return a column of lists, of one length or of several, as lists; raises RunError E6325 for another type."""
    import polars as pl  # noqa: PLC0415 - heavy

    if column.dtype == pl.Array:
        return column.arr.to_list()
    if not isinstance(column.dtype, pl.List | pl.Null):
        raise RunError.of("E6325", f"`{column.name}` is of type {column.dtype}", expected="lists of items")
    return column


@dataclass(frozen=True)
class RowEncoding:
    """The features of a row, the vocabularies that they name, and mean and deviation of each number."""

    features: tuple[Feature, ...]
    vocabularies: Mapping[str, Vocabulary]
    moments: Mapping[str, tuple[float, float]]

    @cached_property
    def places(self) -> tuple[tuple[Feature, slice], ...]:
        """Each feature with its columns."""
        return tuple(places(self.features))

    @cached_property
    def widths(self) -> tuple[int, int]:
        """How many columns the codes have, and how many the values."""
        lists = [width_of(one) for one in self.features if isinstance(one, Category | LastItems)]
        return sum(lists), sum(map(width_of, self.features)) - sum(lists)

    def encode(self, frame: "pl.DataFrame") -> Encoded:
        """Return the rows of a frame that has the features as columns; raises RunError E6325 where it does not."""
        missing = [one.name for one in self.features if one.name not in frame.columns]
        if missing:
            raise RunError.of("E6325", f"the frame lacks {', '.join(f'`{name}`' for name in missing)}")
        codes = np.zeros((frame.height, self.widths[0]), np.int32)
        values = np.zeros((frame.height, self.widths[1]), np.float32)
        for feature, place in self.places:
            column = frame[feature.name]
            match feature:
                case Category():
                    codes[:, place.start] = self.vocabularies[feature.embedding].codes(column)
                case LastItems():
                    codes[:, place] = _last(column, feature.length, self.vocabularies[feature.embedding])
                case Number():
                    values[:, place] = _standardised(column, *self.moments[feature.name])
                case Given():
                    values[:, place] = _given(column, feature.width)
        return Encoded(codes, values)

    def encode_one(self, row: Mapping[str, Any]) -> Encoded:
        """Return one request, a value by feature; a feature that is absent is null. Raises RunError E6453."""
        codes = np.zeros((1, self.widths[0]), np.int32)
        values = np.zeros((1, self.widths[1]), np.float32)
        try:
            for feature, place in self.places:
                value = row.get(feature.name)
                match feature:
                    case Category():
                        codes[0, place.start] = self.vocabularies[feature.embedding].code(value)
                    case LastItems():
                        if value is not None and len(value):
                            self._put_last(codes[0, place], value, feature)
                    case Number():
                        _put_number(values[0, place], value, *self.moments[feature.name])
                    case Given():
                        _put_given(values[0, place], value)
        except (TypeError, ValueError) as fault:
            raise RunError.of("E6453", f"`{feature.name}` is {value!r}: {fault}") from fault
        return Encoded(codes, values)

    def _put_last(self, into: NDArray[np.int32], value: Sequence[object], feature: LastItems) -> None:
        code_of = self.vocabularies[feature.embedding].code_of
        known = [one for one in value if one is not None][: -feature.length - 1 : -1]
        into[: len(known)] = [code_of.get(one, UNSEEN) for one in known]  # type: ignore[call-overload]

    def to_json(self) -> dict[str, Any]:
        """Return it as data for JSON."""
        return {
            "features": [{"kind": type(one).__name__, **dataclasses.asdict(one)} for one in self.features],
            "vocabularies": {
                name: {"dimension": one.dimension, "values": list(one.values)}
                for name, one in sorted(self.vocabularies.items())
            },
            "moments": {name: list(one) for name, one in sorted(self.moments.items())},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RowEncoding":
        """Return what `to_json` gave."""
        features = tuple(
            _KINDS[one["kind"]](**{key: value for key, value in one.items() if key != "kind"})
            for one in data["features"]
        )
        vocabularies = {
            name: Vocabulary(one["dimension"], tuple(one["values"])) for name, one in data["vocabularies"].items()
        }
        return cls(features, vocabularies, {name: (one[0], one[1]) for name, one in data["moments"].items()})


def _last(column: "pl.Series", length: int, vocabulary: Vocabulary) -> NDArray[np.int32]:
    """Return the codes of each list's last values, the newest first: [rows, length]."""
    import polars as pl  # noqa: PLC0415 - heavy

    codes = np.full((len(column), length), NULL, np.int32)
    if column.dtype == pl.Null:
        return codes
    lists = listed(column).list.drop_nulls().list.tail(length).list.reverse()
    lengths = lists.list.len().fill_null(0).to_numpy()
    codes[np.arange(length) < lengths[:, None]] = vocabulary.codes(lists.explode().drop_nulls())
    return codes


def _standardised(column: "pl.Series", mean: float, deviation: float) -> NDArray[np.float32]:
    import polars as pl  # noqa: PLC0415 - heavy

    numbers = column.cast(pl.Float64).fill_null(math.nan).to_numpy()
    known = np.isfinite(numbers)
    scaled = (np.where(known, numbers, mean) - mean) / deviation
    return np.stack([scaled, ~known], axis=1).astype(np.float32)


def _given(column: "pl.Series", width: int) -> NDArray[np.float32]:
    import polars as pl  # noqa: PLC0415 - heavy

    null = column.is_null().to_numpy()
    vectors = np.zeros((len(column), width + 1), np.float32)
    vectors[null, width] = 1.0
    if not null.all():
        try:
            vectors[~null, :width] = column.drop_nulls().cast(pl.Array(pl.Float32, width)).to_numpy()
        except pl.exceptions.PolarsError as fault:
            raise RunError.of(
                "E6325", f"`{column.name}` has vectors of another length", expected=f"{width} numbers"
            ) from fault
    return vectors


def _put_number(into: NDArray[np.float32], value: float | None, mean: float, deviation: float) -> None:
    if value is None or not math.isfinite(value):
        into[1] = 1.0
    else:
        into[0] = (value - mean) / deviation


def _put_given(into: NDArray[np.float32], value: object) -> None:
    if value is None:
        into[-1] = 1.0
    else:
        vector = np.asarray(value, np.float32)
        if vector.shape != (len(into) - 1,):
            raise ValueError(f"a vector of the shape {vector.shape}, not ({len(into) - 1},)")
        into[:-1] = vector
