"""The items that can be recommended, in one order that all parts of a version share: an item is its place there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.retrieval.candidates import Codes, Column, offsets_of
from mlsd_framework.runtime.retrieval.interactions import Histories, Times
from mlsd_framework.runtime.retrieval.items import NOTHING_ELSE, UNKNOWN, Items, Key
from mlsd_framework.runtime.tensor_file import (
    TensorFileError,
    read_tensors,
    row_of,
    text_arrays,
    texts_of,
    write_tensors,
)

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

_FORMAT: Final = "mlsd catalogue 1"
_ARRAYS: Final = ("keys", "keys.bytes", "keys.offsets", "descriptions.bytes", "descriptions.offsets")


@dataclass(frozen=True)
class Catalogue(Items):
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
            arrays |= text_arrays(name, [str(one) for one in values])
        write_tensors(path, {"format": _FORMAT}, arrays)

    @classmethod
    def load(cls, path: Path) -> "Catalogue":
        """Read what `save` wrote.

        Raises RunError: E6471 where it cannot be read as such a file, E6472 where it contradicts itself.
        """
        try:
            _, arrays = read_tensors(path, _ARRAYS, _FORMAT)
            keys = tuple(row_of(arrays, "keys", np.int64).tolist()) if "keys" in arrays else texts_of(arrays, "keys")
            descriptions = texts_of(arrays, "descriptions") if "descriptions.bytes" in arrays else ()
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

    def key(self, code: int) -> Key:
        """Return the key at a place."""
        return self.keys[code]

    def describe(self, code: int) -> str | None:
        """Return what an item is in words, or none."""
        return self.descriptions[code] if self.descriptions else None

    def code(self, key: Key | None) -> int:
        """Return the place of one key, -1 for one that is not there."""
        return self._places.get(key, UNKNOWN) if key is not None else UNKNOWN

    def keys_of(self, codes: Codes) -> list[Key]:
        """Return the keys at these places as plain values: [rows]."""
        return [self.keys[code] for code in codes.tolist()]

    def codes_of(self, keys: Sequence[Key]) -> Codes:
        """Return the place of each key as plain values have it, -1 for one that is not there: [rows]."""
        return np.fromiter(map(self._places.get, keys, repeat(UNKNOWN)), np.int32, len(keys))

    def codes(self, keys: "pl.Series") -> Codes:
        """Return the place of each key, -1 for null and for one that is not there: [rows]."""
        import polars as pl  # noqa: PLC0415 - only batches pay for it

        if not self.keys:
            return np.full(len(keys), UNKNOWN, np.int32)
        own = pl.Series(self.keys)
        # The column takes the type of the keys: in a narrower one of its own, keys would be null, and null be found.
        wanted = keys.cast(own.dtype, strict=False)
        places = np.arange(len(self), dtype=np.int32)
        found = wanted.replace_strict(own, places, default=UNKNOWN, return_dtype=pl.Int32)
        return found.to_numpy(writable=True).astype(np.int32, copy=False)

    def taken(self, codes: Codes) -> "pl.Series":
        """Return the keys at these places: [rows]."""
        import polars as pl  # noqa: PLC0415 - only batches pay for it

        return pl.Series(self.keys).gather(pl.Series(codes.astype(np.uint32)))

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
