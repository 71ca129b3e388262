"""Novelty: an isolation forest fitted without labels, exported to ONNX, its scores ranked against the training part.

The ONNX graph takes float32 (rows, features), nulls as NaN, fills them with the medians of the training part and gives
`score`, larger for stranger rows. `calibration.json` holds the curve from score to novelty: the share of training rows
that are less strange.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.serving.calibration import Isotonic
from mlsd_framework.runtime.training import calibration
from mlsd_framework.runtime.training.isolation_onnx import forest_to_onnx

if TYPE_CHECKING:
    import onnx
    from sklearn.pipeline import Pipeline

FloatArray = NDArray[np.float64]
Features = NDArray[np.float32]
_STEPS = 1000
_SAMPLE = 2000
_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted forest with the features' names, the medians that fill nulls, and the curve from score to novelty."""

    pipeline: "Pipeline"
    features: tuple[str, ...]
    medians: tuple[float, ...]
    novelty: Isotonic

    def score(self, features: Features) -> FloatArray:
        """Return the raw score of each row, larger for stranger ones."""
        raw: FloatArray = -self.pipeline.decision_function(features)
        return raw


def fit(features: Features, names: Sequence[str], *, trees: int = 200, sample: int = 256, seed: int = 0) -> Fitted:
    """Fit to (rows, len(names)) float32 of the training part; NaN is a null, a feature of nulls only counts as 0."""
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415 - heavy
    from sklearn.impute import SimpleImputer  # noqa: PLC0415
    from sklearn.pipeline import Pipeline  # noqa: PLC0415

    filler = SimpleImputer(strategy="median", keep_empty_features=True)
    forest = IsolationForest(n_estimators=trees, max_samples=min(sample, len(features)), random_state=seed)
    pipeline = Pipeline([("fill", filler), ("forest", forest)]).fit(features)
    curve = _ranks(-pipeline.decision_function(features))
    return Fitted(pipeline, tuple(names), tuple(filler.statistics_.tolist()), curve)


def save(folder: Path, fitted: Fitted, sample: Features) -> tuple[str, ...]:
    """Write `model.onnx`, `calibration.json` and `medians.json` to `folder` and return their names.

    Scores some rows of `sample` with ONNX Runtime first and raises E6335 where they differ from scikit-learn's.
    """
    model = forest_to_onnx(fitted.pipeline["forest"], np.asarray(fitted.medians))
    _check_parity(model, fitted, sample[:_SAMPLE])
    medians = dict(zip(fitted.features, fitted.medians, strict=True))
    atomic.write_bytes(folder / "model.onnx", model.SerializeToString(deterministic=True))
    atomic.write_text(folder / "medians.json", json.dumps(medians, indent=2) + "\n")
    calibration.write(folder / "calibration.json", fitted.novelty)
    return ("calibration.json", "medians.json", "model.onnx")


def _check_parity(model: "onnx.ModelProto", fitted: Fitted, sample: Features) -> None:
    import onnxruntime  # noqa: PLC0415 - heavy

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    exported = session.run(["score"], {"features": sample})[0].ravel()
    difference = np.abs(exported - fitted.score(sample))
    if len(difference) and difference.max() > _TOLERANCE:
        raise RunError.of(
            "E6335",
            f"the ONNX model differs from scikit-learn's by {difference.max():.2g} in {len(sample):,} rows",
            expected=f"scores within {_TOLERANCE:g}",
        )


def _ranks(scores: FloatArray) -> Isotonic:
    """Return the curve from score to the share of `scores` below it, at most `_STEPS` breakpoints."""
    ordered = np.sort(scores.astype(np.float32).astype(np.float64))
    at = np.unique(np.linspace(0, len(ordered) - 1, min(_STEPS, len(ordered))).round().astype(np.int64))
    points, first = np.unique(ordered[at], return_index=True)
    share = at[first] / max(len(ordered) - 1, 1)
    return Isotonic(tuple(points.tolist()), tuple(share.tolist()))
