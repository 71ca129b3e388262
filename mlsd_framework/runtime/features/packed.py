"""A feature row as bytes: the layout in which the online store holds one key's values of one group.

    layout   8 bytes   fingerprint of the group's name, its key, its columns and their types
    crc      4 bytes   CRC-32 of everything after it, begun with the fingerprint
    event    8 bytes   the moment that the values are of, in microseconds since 1970, UTC
    created  8 bytes   the moment when they were computed, or the earliest of all where nobody says
    nulls    8 bytes   for each 64 columns, bit i set where column i is null
    values             8 or 4 bytes a number or time, 1 a boolean, 4 the length of anything else
    contents           strings, bytes and lists, one after another (see `varying`)

Little-endian but for the two moments, which are big-endian and begin at the earliest, so that the store itself can tell
the newer of two rows (see `newest`). The reader pays for `struct` and `zlib` only.
"""

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zlib import crc32

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.dtypes import Dtype, Value
from mlsd_framework.runtime.features.varying import FORMATS, decoder, encoder
from mlsd_framework.runtime.features.windows import FeatureColumn

if TYPE_CHECKING:
    import polars as pl

    from mlsd_framework.runtime.features.packing import Moments

EARLIEST = -(2**63)
"""The moment of a row of which nobody says when it was."""

BODY = 12
"""Where what a row's checksum is of begins."""

TIMES = 12
"""Where a row's two moments begin."""

_HEADER = 28
_WORD = 64
_TYPES: dict[Dtype, tuple[type, ...]] = {
    "float64": (float, int),
    "float32": (float, int),
    "int64": (int,),
    "int32": (int,),
    "bool": (bool,),
    "timestamp": (int,),
}


@dataclass(frozen=True, slots=True)
class RowLayout:
    """The columns of a group and how a row of them is packed.

    `defaults` is what a key without a row has, `entity` the columns of its key. A row's checksum begins with `seed`.
    """

    group: str
    columns: tuple[FeatureColumn, ...]
    entity: tuple[str, ...] = ()
    defaults: tuple[Value, ...] = field(init=False)
    fingerprint: bytes = field(init=False)
    seed: int = field(init=False, repr=False, compare=False)
    _row: struct.Struct = field(init=False, repr=False, compare=False)
    _whole: struct.Struct = field(init=False, repr=False, compare=False)
    _no_nulls: bytes = field(init=False, repr=False, compare=False)
    _start: int = field(init=False, repr=False, compare=False)
    _size: int = field(init=False, repr=False, compare=False)
    _varying: tuple[tuple[int, Callable[[bytes], Value]], ...] = field(init=False, repr=False, compare=False)
    _encoders: tuple[Callable[[Value], bytes] | None, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the layout."""
        words = -(-len(self.columns) // _WORD)
        said = "\0".join((self.group, *self.entity, "", *(f"{column.name}\0{column.dtype}" for column in self.columns)))
        fingerprint = hashlib.sha256(b"mlsd row 2\0" + said.encode()).digest()[:8]
        values = "".join(FORMATS.get(column.dtype, "I") for column in self.columns)
        row = struct.Struct("<" + values)
        varying = [i for i, column in enumerate(self.columns) if column.dtype not in FORMATS]
        made = {
            "defaults": tuple(column.default for column in self.columns),
            "fingerprint": fingerprint,
            "_row": row,
            "_whole": struct.Struct(f"<8sI16x{words * 8}s{values}"),
            "seed": crc32(fingerprint),
            "_no_nulls": bytes(words * 8),
            "_start": _HEADER + words * 8,
            "_size": _HEADER + words * 8 + row.size,
            "_varying": tuple((i, decoder(self.columns[i].dtype)) for i in varying),
            "_encoders": tuple(
                encoder(column.dtype) if column.dtype not in FORMATS else None for column in self.columns
            ),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def pack(self, values: Sequence[Value], event: int = EARLIEST, created: int = EARLIEST) -> bytes:
        """Pack one row, a value a column in order; `None` is null. A value of another type is refused (E6210)."""
        if len(values) != len(self.columns):
            raise RunError.of(
                "E6210", f"a row of `{self.group}` has {len(values)} values", expected=f"{len(self.columns)}"
            )
        nulls = 0
        fixed: list[Value] = []
        contents: list[bytes] = []
        for i, (column, encode, value) in enumerate(zip(self.columns, self._encoders, values, strict=True)):
            if value is None:
                nulls |= 1 << i
                fixed.append(0)
            elif encode is None:
                self._check(column, value)
                fixed.append(value)
            else:
                contents.append(self._encoded(column, encode, value))
                fixed.append(len(contents[-1]))
        try:
            packed = self._row.pack(*fixed)
        except (struct.error, OverflowError) as error:
            raise RunError.of("E6210", f"a value of `{self.group}` does not fit its column: {error}") from error
        bits = nulls.to_bytes(self._start - _HEADER, "little")
        return self.sealed(b"".join((moment(event), moment(created), bits, packed, *contents)))

    def sealed(self, body: bytes) -> bytes:
        """Return the row of a body: the layout and the checksum before it."""
        return self.fingerprint + crc32(body, self.seed).to_bytes(4, "little") + body

    def unpack(self, row: bytes | None) -> tuple[Value, ...]:
        """Return a row's values; those of a missing row are the defaults.

        A row of another layout (E6211) and one whose bytes have changed (E6212) are refused.
        """
        if row is None:
            return self.defaults
        try:
            fingerprint, checksum, nulls, *values = self._whole.unpack_from(row)
        except struct.error:
            raise self._unreadable(row) from None
        if fingerprint != self.fingerprint or checksum != crc32(row[BODY:], self.seed):
            raise self._unreadable(row)
        if nulls != self._no_nulls or self._varying:
            return self._completed(row, int.from_bytes(nulls, "little"), values)
        if len(row) != self._size:
            raise self._unreadable(row)
        return tuple(values)

    def fits(self, row: bytes) -> bool:
        """Whether a row says that it has this layout."""
        return row[:8] == self.fingerprint

    def pack_frame(
        self, frame: "pl.DataFrame", event: "Moments" = EARLIEST, created: "Moments" = EARLIEST
    ) -> list[bytes]:
        """Pack every row of a frame that has the layout's columns; nulls stay nulls, NaN stays NaN.

        `event` and `created` are one moment for all rows or one for each, in microseconds.
        """
        from mlsd_framework.runtime.features.packing import pack_rows  # noqa: PLC0415 - the reader does without numpy

        return pack_rows(self, frame, event, created)

    def _completed(self, row: bytes, nulls: int, values: list[Value]) -> tuple[Value, ...]:
        at = self._size
        try:
            for i, decode in self._varying:
                length: int = values[i]  # type: ignore[assignment] # that of a varying value
                values[i] = decode(row[at : at + length])
                at += length
        except (struct.error, ValueError):
            raise self._unreadable(row) from None
        if at != len(row) or nulls >> len(values):
            raise self._unreadable(row)
        while nulls:
            lowest = nulls & -nulls
            values[lowest.bit_length() - 1] = None
            nulls ^= lowest
        return tuple(values)

    def _encoded(self, column: FeatureColumn, encode: Callable[[Value], bytes], value: Value) -> bytes:
        try:
            return encode(value)
        except TypeError:
            raise self._misfit(column, value) from None
        except (struct.error, ValueError, OverflowError) as error:
            raise RunError.of(
                "E6210", f"a value of `{column.name}` of `{self.group}` does not fit its column: {error}"
            ) from error

    def _check(self, column: FeatureColumn, value: Value) -> None:
        if not isinstance(value, _TYPES[column.dtype]) or (isinstance(value, bool) and column.dtype != "bool"):
            raise self._misfit(column, value)

    def _misfit(self, column: FeatureColumn, value: Value) -> RunError:
        return RunError.of(
            "E6210",
            f"the column `{column.name}` of `{self.group}` gets a {type(value).__name__}",
            expected=column.dtype,
        )

    def _unreadable(self, row: bytes) -> RunError:
        if (
            row[:8] != self.fingerprint
            and len(row) >= BODY
            and row[8:BODY] == crc32(row[BODY:], crc32(row[:8])).to_bytes(4, "little")
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


def moment(microseconds: int) -> bytes:
    """Return a moment as rows hold it: bytes in the order of time."""
    return (microseconds - EARLIEST).to_bytes(8, "big")


def moments(row: bytes) -> tuple[int, int]:
    """Return when a row's values are of and when they were computed, in microseconds (EARLIEST: nobody said)."""
    return (
        int.from_bytes(row[TIMES : TIMES + 8], "big") + EARLIEST,
        int.from_bytes(row[TIMES + 8 : _HEADER], "big") + EARLIEST,
    )
