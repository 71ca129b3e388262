"""The file of a source of candidates: arrays and settings as safetensors, checked on reading, nothing pickled."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic

Setting: TypeAlias = int | float | str
Shape: TypeAlias = tuple[type[np.generic], int]
"""The type of an array's values and its number of dimensions."""

_HEADER: Final = "mlsd"


def write_source(path: Path, kind: str, settings: Mapping[str, Setting], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the file; the same content gives the same bytes."""
    header = {"format": _format(kind), "settings": dict(settings)}
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with atomic.replacing(path) as part:
        # One key only: safetensors writes several in no fixed order.
        save_file(tensors, part, metadata={_HEADER: json.dumps(header, ensure_ascii=True, sort_keys=True)})


def read_source(
    path: Path, kind: str, settings: Mapping[str, type[Setting]], arrays: Mapping[str, Shape]
) -> tuple[dict[str, Setting], dict[str, NDArray[Any]]]:
    """Read the settings and the arrays that a kind of source has; raise RunError E6471 where one is not there."""
    try:
        with safe_open(path, framework="numpy") as opened:
            header = (opened.metadata() or {}).get(_HEADER, "")
            present = set(opened.keys())
            found = {name: np.array(opened.get_tensor(name), order="C") for name in arrays if name in present}
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, kind, str(error)) from error
    for name, (dtype, dimensions) in arrays.items():
        if name not in found:
            raise _unreadable(path, kind, f"the array `{name}` is missing")
        if found[name].dtype != dtype or found[name].ndim != dimensions:
            raise _unreadable(path, kind, f"the array `{name}` is `{found[name].dtype}` of shape {found[name].shape}")
    return _settings(path, kind, header, settings), found


def inconsistent(path: Path, kind: str, fault: str) -> RunError:
    """Return the error of a file whose arrays contradict each other."""
    return RunError.of("E6472", f"`{path}` contradicts itself as a source `{kind}`: {fault}", help="fit it again")


def _settings(path: Path, kind: str, header: str, wanted: Mapping[str, type[Setting]]) -> dict[str, Setting]:
    try:
        read = json.loads(header)
    except ValueError as error:
        raise _unreadable(path, kind, "its header is missing or no JSON") from error
    if not isinstance(read, dict) or read.get("format") != _format(kind):
        raise _unreadable(path, kind, f"its format is not `{_format(kind)}`")
    held = read.get("settings")
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
