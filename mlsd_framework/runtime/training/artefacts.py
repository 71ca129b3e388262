"""What training scripts read and write: the training set, predictions, and the files of a model with their SHA-256."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.digest import file_sha256
from mlsd_framework.runtime.training.splits import Parts, by_name

if TYPE_CHECKING:
    import polars as pl

FloatArray = NDArray[np.float64]
MANIFEST = "model.json"
_PREDICTIONS = "predictions.parquet"


@dataclass(frozen=True, slots=True)
class Predictions:
    """A model's output on every row of the training set: `score`, calibrated `probability`, and the split."""

    score: FloatArray
    probability: FloatArray
    parts: Parts


def read_dataset(path: Path, columns: Sequence[str] | None = None) -> "pl.DataFrame":
    """Return the training set, or these columns of it, in its order; raises E6325 where it is not there or damaged."""
    import polars as pl  # noqa: PLC0415 - heavy

    if not path.is_file():
        raise RunError.of(
            "E6325", f"`{path}` is not there", help="run the step before it: `mlsd train` runs all in order"
        )
    try:
        return pl.read_parquet(path, columns=None if columns is None else list(columns), use_pyarrow=False)
    except (pl.exceptions.PolarsError, OSError) as fault:
        message = str(fault).splitlines()[0]
        raise RunError.of(
            "E6325", f"`{path}` cannot be read: {message}", help="run the step before it again"
        ) from fault


def write_predictions(folder: Path, predictions: Predictions) -> None:
    """Write one row a row of the training set to `folder`."""
    import polars as pl  # noqa: PLC0415 - heavy

    frame = pl.DataFrame(
        {
            "part": pl.Series(predictions.parts.column(len(predictions.score)), dtype=pl.String),
            "score": predictions.score,
            "probability": predictions.probability,
        }
    )
    with atomic.replacing(folder / _PREDICTIONS) as part:
        frame.write_parquet(part)


def read_predictions(folder: Path) -> Predictions:
    """Return what `write_predictions` wrote to `folder`."""
    frame = read_dataset(folder / _PREDICTIONS)
    return Predictions(frame["score"].to_numpy(), frame["probability"].to_numpy(), by_name(frame["part"]))


def seal(
    folder: Path,
    *,
    model: str,
    kind: str,
    features: Sequence[str],
    files: Sequence[str],
    parameters: Mapping[str, object] | None = None,
    importances: Mapping[str, float] | None = None,
) -> None:
    """Write `model.json`: what the model is, and the SHA-256 of each of its files in `folder`.

    Written last, so that a training that was cut short leaves files without a manifest that fits them.
    """
    content = {
        "model": model,
        "kind": kind,
        "features": list(features),
        "files": {name: file_sha256(folder / name) for name in sorted(files)},
        "parameters": dict(parameters or {}),
        "importances": dict(importances or {}),
    }
    atomic.write_text(folder / MANIFEST, json.dumps(content, indent=2) + "\n")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `model.json` says, after the files were found to be the ones it names."""

    model: str
    kind: str
    features: tuple[str, ...]
    files: Mapping[str, str]
    parameters: Mapping[str, object]
    importances: Mapping[str, float]


def open_model(folder: Path) -> Manifest:
    """Read `model.json` and compare each file with its SHA-256; raises E6336 where one differs or is missing."""
    try:
        data = json.loads((folder / MANIFEST).read_bytes())
        manifest = Manifest(
            data["model"], data["kind"], tuple(data["features"]), data["files"], data["parameters"], data["importances"]
        )
        wrong = [name for name, digest in manifest.files.items() if _differs(folder / name, digest)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise RunError.of(
            "E6336", f"`{folder / MANIFEST}` cannot be read: {fault}", help="train the model again"
        ) from fault
    if wrong:
        raise RunError.of(
            "E6336",
            f"{', '.join(f'`{folder / name}`' for name in wrong)} is missing or differs from `{MANIFEST}`",
            expected="files as they were written by the training",
            help="train the model again",
        )
    return manifest


def _differs(path: Path, digest: str) -> bool:
    return not path.is_file() or file_sha256(path) != digest
