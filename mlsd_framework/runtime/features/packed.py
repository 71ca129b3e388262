"""A feature row as bytes: the fixed layout in which the online store holds one key's values of one group.

    layout  8 bytes   fingerprint of the group's name, its key, its columns and their types
    crc     4 bytes   CRC-32 of everything after it, begun with the fingerprint
    nulls   8 bytes   for each 64 columns, bit i set where column i is null
    values            8 bytes a number or time (microseconds since 1970, UTC), 1 a boolean, 4 a string's length
    text              the strings, UTF-8, one after another

Little-endian. The reader pays for `struct` and `zlib` only; `pack_frame` imports numpy when it is called.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zlib import crc32

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.dtypes import Dtype, Value
from mlsd_framework.runtime.features.windows import FeatureColumn

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

_FORMATS: dict[Dtype, str] = {"float64": "d", "int64": "q", "bool": "?", "timestamp": "q", "string": "I"}
_NUMPY: dict[Dtype, str] = {"float64": "<f8", "int64": "<i8", "bool": "?", "timestamp": "<i8", "string": "<u4"}
_EMPTY: dict[Dtype, Value] = {"float64": 0.0, "int64": 0, "bool": False, "timestamp": 0, "string": ""}
_TYPES: dict[Dtype, tuple[type, ...]] = {
    "float64": (float, int),
    "int64": (int,),
    "bool": (bool,),
    "timestamp": (int,),
    "string": (str,),
}
_HEADER = 12
_WORD = 64


@dataclass(frozen=True, slots=True)
class RowLayout:
    """The columns of a group and how a row of them is packed.

    `defaults` is what a key without a row has, `entity` the columns of its key.
    """

    group: str
    columns: tuple[FeatureColumn, ...]
    entity: tuple[str, ...] = ()
    defaults: tuple[Value, ...] = field(init=False)
    fingerprint: bytes = field(init=False)
    _row: struct.Struct = field(init=False, repr=False, compare=False)
    _seed: int = field(init=False, repr=False, compare=False)
    _words: int = field(init=False, repr=False, compare=False)
    _start: int = field(init=False, repr=False, compare=False)
    _size: int = field(init=False, repr=False, compare=False)
    _strings: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the layout."""
        words = -(-len(self.columns) // _WORD)
        said = "\0".join((self.group, *self.entity, "", *(f"{column.name}\0{column.dtype}" for column in self.columns)))
        fingerprint = hashlib.sha256(b"mlsd row 1\0" + said.encode()).digest()[:8]
        row = struct.Struct("<" + "".join(_FORMATS[column.dtype] for column in self.columns))
        made = {
            "defaults": tuple(column.default for column in self.columns),
            "fingerprint": fingerprint,
            "_row": row,
            "_seed": crc32(fingerprint),
            "_words": words,
            "_start": _HEADER + words * 8,
            "_size": _HEADER + words * 8 + row.size,
            "_strings": tuple(i for i, column in enumerate(self.columns) if column.dtype == "string"),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def pack(self, values: Sequence[Value]) -> bytes:
        """Pack one row, a value a column in order; `None` is null. A value of another type is refused (E6210)."""
        if len(values) != len(self.columns):
            raise RunError.of(
                "E6210", f"a row of `{self.group}` has {len(values)} values", expected=f"{len(self.columns)}"
            )
        nulls = 0
        fixed: list[Value] = []
        text: list[bytes] = []
        for i, (column, value) in enumerate(zip(self.columns, values, strict=True)):
            if value is None:
                nulls |= 1 << i
                fixed.append(0)
                continue
            self._check(column, value)
            if column.dtype == "string":
                text.append(str(value).encode())
                fixed.append(len(text[-1]))
            else:
                fixed.append(value)
        tail = b"".join(text)
        try:
            body = nulls.to_bytes(self._start - _HEADER, "little") + self._row.pack(*fixed) + tail
        except struct.error as error:
            raise RunError.of("E6210", f"a value of `{self.group}` does not fit its column: {error}") from error
        return self.fingerprint + crc32(body, self._seed).to_bytes(4, "little") + body

    def unpack(self, row: bytes | None) -> tuple[Value, ...]:
        """Return a row's values; those of a missing row are the defaults.

        A row of another layout (E6211) and one whose bytes have changed (E6212) are refused.
        """
        if row is None:
            return self.defaults
        start = self._start
        try:
            values: tuple[Value, ...] = self._row.unpack_from(row, start)
        except struct.error:
            raise self._unreadable(row) from None
        if row[:8] != self.fingerprint or int.from_bytes(row[8:_HEADER], "little") != crc32(row[_HEADER:], self._seed):
            raise self._unreadable(row)
        nulls = int.from_bytes(row[_HEADER:start], "little")
        if nulls or self._strings:
            return self._completed(row, nulls, list(values))
        if len(row) != self._size:
            raise self._unreadable(row)
        return values

    def pack_frame(self, frame: "pl.DataFrame") -> list[bytes]:
        """Pack every row of a frame that has the layout's columns; nulls stay nulls, NaN stays NaN."""
        import numpy as np  # noqa: PLC0415 - the reader does without it

        missing = [column.name for column in self.columns if column.name not in frame.columns]
        if missing:
            raise RunError.of(
                "E6210",
                f"the rows of `{self.group}` lack the column `{missing[0]}`",
                expected=f"one of: {', '.join(frame.columns)}",
            )
        shape = [
            ("nulls", "<u8", (self._words,)),
            *((f"c{i}", _NUMPY[column.dtype]) for i, column in enumerate(self.columns)),
        ]
        table: NDArray[np.void] = np.zeros(len(frame), np.dtype(shape))
        texts: list[list[bytes]] = []
        for i, column in enumerate(self.columns):
            series = frame.get_column(column.name)
            missed = series.is_null().to_numpy()
            table["nulls"][:, i // _WORD] |= missed.astype(np.uint64) << np.uint64(i % _WORD)
            if column.dtype == "string":
                texts.append([(value or "").encode() for value in series.to_list()])
                table[f"c{i}"] = [len(value) for value in texts[-1]]
            else:
                table[f"c{i}"] = self._numbers(column, series)
        return self._rows(table.tobytes(), table.dtype.itemsize, texts)

    def _rows(self, fixed: bytes, size: int, texts: list[list[bytes]]) -> list[bytes]:
        fingerprint, seed = self.fingerprint, self._seed
        bodies = [fixed[at : at + size] for at in range(0, len(fixed), size)]
        if texts:
            bodies = [b"".join(parts) for parts in zip(bodies, *texts, strict=True)]
        return [fingerprint + crc32(body, seed).to_bytes(4, "little") + body for body in bodies]

    def _numbers(self, column: FeatureColumn, series: "pl.Series") -> "NDArray[np.generic]":
        # A cast between kinds would change values in silence; widening within one does not.
        dtype = series.dtype
        kinds = {
            "float64": dtype.is_numeric(),
            "int64": dtype.is_integer(),
            "bool": str(dtype) == "Boolean",
            "timestamp": str(dtype).startswith("Datetime(time_unit='us', time_zone='UTC'"),
        }
        if not kinds[column.dtype] and str(dtype) != "Null":
            raise RunError.of(
                "E6210", f"the column `{column.name}` of `{self.group}` has the type {dtype}", expected=column.dtype
            )
        if column.dtype == "timestamp":
            series = series.to_physical()
        return series.fill_null(_EMPTY[column.dtype]).to_numpy() if str(dtype) != "Null" else _zeros(len(series))

    def _completed(self, row: bytes, nulls: int, values: list[Value]) -> tuple[Value, ...]:
        at = self._size
        for i in self._strings:
            length = values[i]
            if not isinstance(length, int) or at + length > len(row):
                raise self._unreadable(row)
            values[i] = row[at : at + length].decode()
            at += length
        if at != len(row) or nulls >> len(values):
            raise self._unreadable(row)
        while nulls:
            lowest = nulls & -nulls
            values[lowest.bit_length() - 1] = None
            nulls ^= lowest
        return tuple(values)

    def _check(self, column: FeatureColumn, value: Value) -> None:
        if not isinstance(value, _TYPES[column.dtype]) or (isinstance(value, bool) and column.dtype != "bool"):
            raise RunError.of(
                "E6210",
                f"the column `{column.name}` of `{self.group}` gets a {type(value).__name__}",
                expected=column.dtype,
            )

    def _unreadable(self, row: bytes) -> RunError:
        if (
            row[:8] != self.fingerprint
            and len(row) >= _HEADER
            and row[8:_HEADER] == crc32(row[_HEADER:], crc32(row[:8])).to_bytes(4, "little")
        ):
            return RunError.of(
                "E6211",
                f"a row of `{self.group}` has another layout than this version reads",
                help="materialise the features again",
            )
        return RunError.of(
            "E6212",
            f"a row of `{self.group}` has bytes that are not those written",
            help="materialise the features again",
        )


def _zeros(number: int) -> "NDArray[np.generic]":
    import numpy as np  # noqa: PLC0415 - the reader does without it

    return np.zeros(number)
