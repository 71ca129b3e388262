"""Values of varying length as bytes, in packed rows: strings, bytes and lists.

    string, bytes       the content; its length stands in the row
    list, empty         nothing
    list of numbers     4 bytes: how many; a bit an item, set where it is null; the items, each of its fixed size
    list of others      4 bytes: how many; the same bits; 4 bytes an item: its length; the contents

Little-endian. Imports are light, as the service reads rows.
"""

import struct
from collections.abc import Callable, Sequence

from mlsd_framework.runtime.features.dtypes import Dtype, Scalar, Value, item_of

FORMATS: dict[Dtype, str] = {
    "float64": "d",
    "float32": "f",
    "int64": "q",
    "int32": "i",
    "bool": "?",
    "timestamp": "q",
}
"""The format of each type of fixed size; all others vary."""

_COUNT = 4
_NONE = type(None)
_TYPES = {
    "d": frozenset({float, int, _NONE}),
    "f": frozenset({float, int, _NONE}),
    "q": frozenset({int, _NONE}),
    "i": frozenset({int, _NONE}),
    "?": frozenset({bool, _NONE}),
}


def encoder(dtype: Dtype) -> Callable[[Value], bytes]:
    """Return how a value of a varying type becomes bytes.

    The function raises TypeError or ValueError for a value of another type, struct.error for one that does not fit.
    """
    item = item_of(dtype)
    if item is None:
        return _encode_text if dtype == "string" else _encode_bytes
    if item in FORMATS:
        return lambda value: _encode_numbers(value, FORMATS[item])
    content = encoder(item)
    return lambda value: _encode_contents(value, content)


def decoder(dtype: Dtype) -> Callable[[bytes], Value]:
    """Return how bytes become the value again; the function raises ValueError or struct.error for other bytes."""
    item = item_of(dtype)
    if item is None:
        return bytes.decode if dtype == "string" else bytes
    if item in FORMATS:
        code = FORMATS[item]
        size = struct.calcsize("<" + code)
        return lambda data: _decode_numbers(data, code, size)
    content = decoder(item)
    return lambda data: _decode_contents(data, content)


def _encode_text(value: Value) -> bytes:
    if not isinstance(value, str):
        raise TypeError
    return value.encode()


def _encode_bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError
    return value


def _opening(items: Sequence[Scalar]) -> bytes:
    nulls = sum(1 << i for i, item in enumerate(items) if item is None)
    return len(items).to_bytes(_COUNT, "little") + nulls.to_bytes(-(-len(items) // 8), "little")


def _items(value: Value) -> Sequence[Scalar]:
    if not isinstance(value, tuple | list):
        raise TypeError
    return value


def _encode_numbers(value: Value, code: str) -> bytes:
    items = _items(value)
    if not items:
        return b""
    if not _TYPES[code].issuperset(map(type, items)):
        raise TypeError
    packed = struct.pack(f"<{len(items)}{code}", *(0 if item is None else item for item in items))
    return _opening(items) + packed


def _encode_contents(value: Value, content: Callable[[Value], bytes]) -> bytes:
    items = _items(value)
    if not items:
        return b""
    parts = [b"" if item is None else content(item) for item in items]
    return _opening(items) + struct.pack(f"<{len(parts)}I", *map(len, parts)) + b"".join(parts)


def _opened(data: bytes) -> tuple[int, int, int]:
    # How many items, which are null, and where they begin.
    number = int.from_bytes(data[:_COUNT], "little")
    start = _COUNT + -(-number // 8)
    if start > len(data):
        raise ValueError
    return number, int.from_bytes(data[_COUNT:start], "little"), start


def _decode_numbers(data: bytes, code: str, size: int) -> Value:
    if not data:
        return ()
    number, nulls, start = _opened(data)
    if start + number * size != len(data):
        raise ValueError
    items: tuple[Scalar, ...] = struct.unpack_from(f"<{number}{code}", data, start)
    return _without(items, nulls) if nulls else items


def _decode_contents(data: bytes, content: Callable[[bytes], Value]) -> Value:
    if not data:
        return ()
    number, nulls, start = _opened(data)
    lengths: tuple[int, ...] = struct.unpack_from(f"<{number}I", data, start)
    at = start + number * 4
    if at + sum(lengths) != len(data):
        raise ValueError
    items: list[Scalar] = []
    for length in lengths:
        items.append(content(data[at : at + length]))  # type: ignore[arg-type] # a list holds no lists
        at += length
    return _without(items, nulls) if nulls else tuple(items)


def _without(items: Sequence[Scalar], nulls: int) -> tuple[Scalar, ...]:
    return tuple(None if nulls >> i & 1 else item for i, item in enumerate(items))
