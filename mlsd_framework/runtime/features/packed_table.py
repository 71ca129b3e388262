"""The part of packed rows that is of fixed size, as a numpy type: many rows are written and read at once by it."""

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np

from mlsd_framework.runtime.features.dtypes import Dtype

WORD: Final = 64
"""How many columns share a word of nulls."""

_NUMPY: Final[dict[Dtype, str]] = {
    "float64": "<f8",
    "float32": "<f4",
    "int64": "<i8",
    "int32": "<i4",
    "bool": "?",
    "timestamp": "<i8",
}


def body_type(dtypes: Sequence[Dtype]) -> "np.dtype[np.void]":
    """Return the type of what comes after a row's checksum: `event`, `created`, `nulls` [words], `c0`, `c1` and so on.

    A column of varying size is the length of its content.
    """
    return np.dtype(_body(dtypes))


@cache
def row_type(dtypes: tuple[Dtype, ...]) -> "np.dtype[np.void]":
    """Return the type of a row as far as its contents: `layout` and `crc`, then the body."""
    return np.dtype([("layout", "<u8"), ("crc", "<u4"), *_body(dtypes)])


def _body(dtypes: Sequence[Dtype]) -> list[tuple[str, str] | tuple[str, str, tuple[int]]]:
    return [
        ("event", ">u8"),
        ("created", ">u8"),
        ("nulls", "<u8", (-(-len(dtypes) // WORD),)),
        *((f"c{place}", _NUMPY.get(dtype, "<u4")) for place, dtype in enumerate(dtypes)),
    ]
