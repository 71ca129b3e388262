"""The file of a source of candidates: arrays and settings as safetensors, checked on reading, nothing pickled."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.tensor_file import TensorFileError, read_tensors, write_tensors

Setting: TypeAlias = int | float | str
Shape: TypeAlias = tuple[type[np.generic], int]
"""The type of an array's values and its number of dimensions."""


def write_source(path: Path, kind: str, settings: Mapping[str, Setting], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the file; the same content gives the same bytes."""
    write_tensors(path, {"format": _format(kind), "settings": dict(settings)}, arrays)


def read_source(
    path: Path, kind: str, settings: Mapping[str, type[Setting]], arrays: Mapping[str, Shape]
) -> tuple[dict[str, Setting], dict[str, NDArray[Any]]]:
    """Read the settings and the arrays that a kind of source has; raise RunError E6471 where one is not there."""
    try:
        header, found = read_tensors(path, arrays, _format(kind))
    except TensorFileError as error:
        raise _unreadable(path, kind, str(error)) from error
    for name, (dtype, dimensions) in arrays.items():
        if name not in found:
            raise _unreadable(path, kind, f"the array `{name}` is missing")
        if found[name].dtype != dtype or found[name].ndim != dimensions:
            raise _unreadable(path, kind, f"the array `{name}` is `{found[name].dtype}` of shape {found[name].shape}")
    return _settings(path, kind, header.get("settings"), settings), found


def inconsistent(path: Path, kind: str, fault: str) -> RunError:
    """Return the error of a file whose arrays contradict each other."""
    return RunError.of("E6472", f"`{path}` contradicts itself as a source `{kind}`: {fault}", help="fit it again")


def _settings(path: Path, kind: str, held: object, wanted: Mapping[str, type[Setting]]) -> dict[str, Setting]:
    if not isinstance(held, dict):
        raise _unreadable(path, kind, "its header lacks the settings")
    for name, of_type in wanted.items():
        if type(held.get(name)) is not of_type:
            raise _unreadable(path, kind, f"the setting `{name}` is missing or no {of_type.__name__}")
    return {name: held[name] for name in wanted}


def _format(kind: str) -> str:
    return f"mlsd-retrieval-{kind}/1"


def _unreadable(path: Path, kind: str, reason: str) -> RunError:
    return RunError.of("E6471", f"`{path}` is not the file of a source `{kind}`: {reason}", help="fit it again")
