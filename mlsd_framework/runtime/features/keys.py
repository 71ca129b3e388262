"""The names under which the online store keeps rows: no two keys of entities share one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from mlsd_framework.diagnostics.errors import RunError

if TYPE_CHECKING:
    import polars as pl

KeyPart = str | int | bool | bytes | None


def encode_key(parts: Sequence[KeyPart]) -> bytes | None:
    """Encode a key's values, each as type, length and content (`s3:abc`, `i2:42`).

    None where a part is null, as no row can have that key.

    The text "5" and the number 5 are different keys. Floats and other types are refused (E6226).
    """
    encoded = b""
    for part in parts:
        if type(part) is str:
            try:
                content = part.encode()
            except UnicodeEncodeError as error:
                raise RunError.of(
                    "E6226", "a part of a key is not valid Unicode", expected="text without lone surrogates"
                ) from error
            encoded += b"s%d:%b" % (len(content), content)
        elif type(part) is int:
            content = b"%d" % part
            encoded += b"i%d:%b" % (len(content), content)
        elif part is None:
            return None
        else:
            encoded += _encode_rare(part)
    return encoded


def encode_parts(parts: Sequence[Sequence[KeyPart]]) -> list[bytes | None]:
    """Encode many keys from their parts, column by column: [rows] each."""
    if any(set(map(type, part)) != {int} for part in parts):
        return [encode_key(key) for key in zip(*parts, strict=True)]
    columns = [_encode_numbers(part) for part in parts]  # the usual keys, in one go
    return list(columns[0]) if len(columns) == 1 else list(map(b"".join, zip(*columns, strict=True)))


def _encode_numbers(numbers: Sequence[KeyPart]) -> list[bytes]:
    if len(set(numbers)) == 1:  # one that all rows share
        text = str(numbers[0]).encode()
        return [b"i%d:%b" % (len(text), text)] * len(numbers)
    return [b"i%d:%b" % (len(text), text) for text in [str(number).encode() for number in numbers]]


def _encode_rare(part: KeyPart) -> bytes:
    if isinstance(part, bool):
        return b"b1:1" if part else b"b1:0"
    if isinstance(part, bytes):
        return b"y%d:%b" % (len(part), part)
    raise RunError.of(
        "E6226", f"a part of a key is a {type(part).__name__}", expected="a string, an integer, a boolean or bytes"
    )


def encode_keys(keys: "pl.DataFrame") -> list[bytes | None]:
    """Encode the key of every row of a frame of key columns."""
    import polars as pl  # noqa: PLC0415 - the service encodes keys and has no frames

    column = keys.to_series() if keys.width == 1 else None
    if column is not None and not column.null_count():  # the usual keys, in one go
        if column.dtype.is_integer():
            return [b"i%d:%b" % (len(text), text) for text in (b"%d" % number for number in column)]
        if column.dtype == pl.String:
            return [b"s%d:%b" % (len(text), text) for text in map(str.encode, column)]
    return [encode_key(row) for row in keys.iter_rows()]


def escape(name: str) -> bytes:
    """Encode a name so that it holds neither `:`, which separates the parts of a stored name, nor a wildcard."""
    return quote(name, safe="").encode()
