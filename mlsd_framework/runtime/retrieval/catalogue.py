"""The items that can be recommended, in one order that all parts of a version share: an item is its place there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.retrieval.candidates import Codes, Column, Offsets, offsets_of
from mlsd_framework.runtime.retrieval.interactions import Histories, Times
from mlsd_framework.runtime.tensor_file import TensorFileError, read_tensors, write_tensors

if TYPE_CHECKING:
    import polars as pl

Key = int | str
_FORMAT: Final = "mlsd catalogue 1"
_UNKNOWN: Final = -1
NOTHING_ELSE: Final[Mapping[str, Any]] = MappingProxyType({})
_ARRAYS: Final = ("keys", "keys.bytes", "keys.offsets", "descriptions.bytes", "descriptions.offsets")


@dataclass(frozen=True)
class Catalogue:
    """`keys` rise, all integers or all text; `descriptions`, where there are some, say in words what each item is.

    Raises ValueError where keys do not rise.
    """

    keys: tuple[Key, ...]
    descriptions: tuple[str, ...] = ()
    _places: dict[Key, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the keys."""
        places = {key: place for place, key in enumerate(self.keys)}
        if len(places) < len(self.keys) or list(self.keys) != sorted(self.keys):
            raise ValueError("the keys of a catalogue rise")
        object.__setattr__(self, "_places", places)

    def __len__(self) -> int:
        """Return how many items there are."""
        return len(self.keys)

    @classmethod
    def of(cls, items: "pl.DataFrame", key: str, describe: Sequence[str] = ()) -> "Catalogue":
        """Return the items of a table, a row an item; columns of `describe` are joined to its words.

        Rows without a key are left out, and of several with one key the last counts.
        """
        import polars as pl  # noqa: PLC0415 - only who makes one pays for it

        kept = items.drop_nulls(key).unique(key, keep="last").sort(key)
        if not describe:
            return cls(tuple(kept[key].to_list()))
        words = kept.select(
            pl.concat_str([pl.col(one).cast(pl.String) for one in describe], separator=", ", ignore_nulls=True)
        )
        return cls(tuple(kept[key].to_list()), tuple(words.to_series().to_list()))

    def save(self, path: Path) -> None:
        """Write it to one safetensors file; the same items give the same bytes."""
        text = isinstance(self.keys[0], str) if self.keys else False
        arrays: dict[str, NDArray[Any]] = {} if text else {"keys": np.array(self.keys, np.int64)}
        columns = {"keys": self.keys} if text else {}
        if self.descriptions:
            columns = {**columns, "descriptions": self.descriptions}
        for name, values in columns.items():
            encoded = [str(one).encode() for one in values]
            arrays[f"{name}.bytes"] = np.frombuffer(b"".join(encoded), np.uint8)
            arrays[f"{name}.offsets"] = offsets_of(np.array([len(one) for one in encoded], np.int64))
        write_tensors(path, {"format": _FORMAT}, arrays)

    @classmethod
    def load(cls, path: Path) -> "Catalogue":
        """Read what `save` wrote.

        Raises RunError: E6471 where it cannot be read as such a file, E6472 where it contradicts itself.
        """
        try:
            _, arrays = read_tensors(path, _ARRAYS, _FORMAT)
            keys = tuple(_array(arrays, "keys", np.int64).tolist()) if "keys" in arrays else _texts(arrays, "keys")
            descriptions = _texts(arrays, "descriptions") if "descriptions.bytes" in arrays else ()
        except (TensorFileError, OSError, UnicodeDecodeError) as fault:
            raise RunError.of(
                "E6471", f"`{path}` cannot be read as a catalogue: {fault}", help="train the system again"
            ) from fault
        try:
            made = cls(keys, descriptions)
        except ValueError as fault:
            raise RunError.of(
                "E6472", f"`{path}` contradicts itself: {fault}", help="train the system again"
            ) from fault
        if descriptions and len(descriptions) != len(keys):
            raise RunError.of("E6472", f"`{path}` has {len(descriptions)} descriptions for {len(keys)} items")
        return made

    def describe(self, code: int) -> str | None:
        """Return what an item is in words, or none."""
        return self.descriptions[code] if self.descriptions else None

    def code(self, key: Key | None) -> int:
        """Return the place of one key, -1 for one that is not there."""
        return self._places.get(key, _UNKNOWN) if key is not None else _UNKNOWN

    def keys_of(self, codes: Codes) -> list[Key]:
        """Return the keys at these places as plain values: [rows]."""
        return [self.keys[code] for code in codes.tolist()]

    def codes(self, keys: "pl.Series") -> Codes:
        """Return the place of each key, -1 for null and for one that is not there: [rows]."""
        import polars as pl  # noqa: PLC0415 - only batches pay for it

        if not self.keys:
            return np.full(len(keys), _UNKNOWN, np.int32)
        own = pl.Series(self.keys)
        # The column takes the type of the keys: in a narrower one of its own, keys would be null, and null be found.
        wanted = keys.cast(own.dtype, strict=False)
        places = np.arange(len(self), dtype=np.int32)
        found = wanted.replace_strict(own, places, default=_UNKNOWN, return_dtype=pl.Int32)
        return found.to_numpy(writable=True).astype(np.int32, copy=False)

    def taken(self, codes: Codes) -> "pl.Series":
        """Return the keys at these places: [rows]."""
        import polars as pl  # noqa: PLC0415 - only batches pay for it

        return pl.Series(self.keys).gather(pl.Series(codes.astype(np.uint32)))

    def history(
        self, items: Sequence[Key], times: Sequence[int], at: int, columns: Mapping[str, Any] = NOTHING_ELSE
    ) -> Histories:
        """Return one request's history from a user's last items and their times in microseconds UTC, newest first.

        That is the order of `last_n`. Items that are not in the catalogue are left out, and so is what happened after
        the moment `at`: a live state that is asked about the past has it. `columns` are values of the request that
        sources read.
        """
        codes = np.fromiter(map(self._places.get, reversed(items), repeat(_UNKNOWN)), np.int32, len(items))
        moments: Times = np.array(times[::-1], np.int64)
        known = (codes >= 0) & (moments <= at)
        if not known.all():
            codes, moments = codes[known], moments[known]
        return Histories(
            np.array([0, len(codes)], np.int64),
            codes,
            moments,
            np.array([at], np.int64),
            {name: _one(value) for name, value in columns.items()},
        )

    def of_one(self, item: Key, at: int, columns: Mapping[str, Any] = NOTHING_ELSE) -> Histories:
        """Return the history of one request that asks by an item: it counts as met at the moment itself.

        One that is not in the catalogue gives an empty history, as a new user has.
        """
        return self.history([item], [at], at, columns)

    def histories(
        self, items: "pl.Series", times: "pl.Series", at: "pl.Series", columns: Mapping[str, Column] = NOTHING_ELSE
    ) -> Histories:
        """Return the histories of many requests from lists as `history` takes them: [requests] each; null is empty."""
        import polars as pl  # noqa: PLC0415 - only batches pay for it

        frame = pl.DataFrame({"items": items, "times": times}).with_row_index("request")
        rows = frame.with_columns(pl.col("items", "times").list.reverse()).explode("items", "times").drop_nulls()
        codes = self.codes(rows["items"])
        moments: Times = rows["times"].to_physical().to_numpy().astype(np.int64)
        asked = at.to_physical().to_numpy().astype(np.int64)
        request_of = rows["request"].to_numpy()
        known = (codes >= 0) & (moments <= asked[request_of])
        lengths = np.bincount(request_of[known], minlength=len(items))
        return Histories(offsets_of(lengths), codes[known], moments[known], asked, columns)


def _one(value: object) -> Column:
    """Return one value as candidates and histories have columns: numbers as float64, null as NaN, text as objects."""
    if value is None or isinstance(value, bool | int | float):
        return np.array([value], np.float64)
    column = np.empty(1, object)
    column[0] = value
    return column


def _array(arrays: Mapping[str, NDArray[Any]], name: str, dtype: type[np.generic]) -> NDArray[Any]:
    found = arrays.get(name)
    if found is None or found.dtype != dtype or found.ndim != 1:
        raise TensorFileError(f"the array `{name}` is missing or no row of {dtype.__name__}")
    return found


def _texts(arrays: Mapping[str, NDArray[Any]], name: str) -> tuple[str, ...]:
    content = _array(arrays, f"{name}.bytes", np.uint8).tobytes()
    ends: Offsets = _array(arrays, f"{name}.offsets", np.int64)
    if not len(ends) or ends[0] != 0 or ends[-1] != len(content) or (np.diff(ends) < 0).any():
        raise TensorFileError(f"`{name}.offsets` do not cut {len(content)} bytes")
    return tuple(
        content[first:last].decode() for first, last in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    )
