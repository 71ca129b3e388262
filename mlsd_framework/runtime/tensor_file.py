"""Arrays with a header in words, as a safetensors file: how it is written and read, whatever the file is of."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mlsd_framework.runtime import atomic

_HEADER: Final = "mlsd"


class TensorFileError(Exception):
    """What a file lacks that is to be one of these; the reader says which file, and what to do."""


def write_tensors(path: Path, header: Mapping[str, object], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the file; the same content gives the same bytes."""
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with atomic.replacing(path) as part:
        # One key only: safetensors writes several in no fixed order.
        save_file(tensors, part, metadata={_HEADER: json.dumps(header, ensure_ascii=True, sort_keys=True)})


def read_tensors(path: Path, names: Iterable[str], form: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the header, whose `format` has to be `form`, and those of the arrays that are there.

    Raises TensorFileError.
    """
    try:
        with safe_open(path, framework="numpy") as opened:
            text = (opened.metadata() or {}).get(_HEADER, "")
            # Copies, so that the arrays can be written as numba's plain array types demand, and do not hang on the
            # file.
            present = set(opened.keys())
            found = {name: np.array(opened.get_tensor(name), order="C") for name in names if name in present}
    except (SafetensorError, OSError) as error:
        raise TensorFileError(str(error)) from error
    try:
        header = json.loads(text)
    except ValueError as error:
        raise TensorFileError("its header is missing or no JSON") from error
    if not isinstance(header, dict) or header.get("format") != form:
        raise TensorFileError(f"its format is not `{form}`")
    return header, found


def row_of(arrays: Mapping[str, NDArray[Any]], name: str, dtype: type[np.generic]) -> NDArray[Any]:
    """Return one of the arrays that were read, which has to be a row of a type; raises TensorFileError."""
    found = arrays.get(name)
    if found is None or found.dtype != dtype or found.ndim != 1:
        raise TensorFileError(f"the array `{name}` is missing or no row of {dtype.__name__}")
    return found


def text_arrays(name: str, values: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return texts as the two arrays that a file has of them: `<name>.bytes` and where each ends."""
    encoded = [one.encode() for one in values]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(one) for one in encoded], out=offsets[1:])
    return {f"{name}.bytes": np.frombuffer(b"".join(encoded), np.uint8), f"{name}.offsets": offsets}


def texts_of(arrays: Mapping[str, NDArray[Any]], name: str) -> tuple[str, ...]:
    """Return what `text_arrays` was given, from arrays that were read.

    Raises TensorFileError, and UnicodeDecodeError where the bytes are no UTF-8.
    """
    content = row_of(arrays, f"{name}.bytes", np.uint8).tobytes()
    ends = row_of(arrays, f"{name}.offsets", np.int64)
    if not len(ends) or ends[0] != 0 or ends[-1] != len(content) or (np.diff(ends) < 0).any():
        raise TensorFileError(f"`{name}.offsets` do not cut {len(content)} bytes")
    return tuple(
        content[first:last].decode() for first, last in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    )
