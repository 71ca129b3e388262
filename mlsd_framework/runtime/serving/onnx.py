"""Scoring rows with an ONNX model, such as the novelty score of an isolation forest, on one thread of ONNX Runtime."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.onnx_session import FAULTS, opened


class OnnxModel:
    """A model of one float32 table [rows, features] in and one float per row out; any number of threads may share it.

    Integer outputs, such as the label of an isolation forest, are left aside. None is NaN.
    """

    def __init__(self, session: onnxruntime.InferenceSession, features: int, output: str) -> None:
        """Take what `load` has checked."""
        self._session = session
        self._features = features
        self._input: str = session.get_inputs()[0].name
        self._outputs = [output]

    @classmethod
    def load(cls, path: Path, output: str | None = None) -> "OnnxModel":
        """Load the model; `output` names the score where the model has several of type float. Raises RunError E6455."""
        try:
            session = opened(path)
        except (*FAULTS, OSError) as error:
            raise RunError.of(
                "E6455", f"`{path}` is not an ONNX model that can be loaded: {error}", help="train the model again"
            ) from error
        inputs = session.get_inputs()
        outputs = [
            found.name
            for found in session.get_outputs()
            if found.type in {"tensor(float)", "tensor(double)"} and output in {None, found.name}
        ]
        shape = inputs[0].shape if len(inputs) == 1 and inputs[0].type == "tensor(float)" else []
        if len(shape) != 2 or not isinstance(shape[1], int) or len(outputs) != 1:  # noqa: PLR2004 - rows and features
            raise RunError.of(
                "E6455",
                f"`{path}` does not take one float32 table and give one score",
                expected=f"a float output {output or ''}".rstrip(),
            )
        return cls(session, shape[1], outputs[0])

    @property
    def features(self) -> int:
        """The number of values in a row."""
        return self._features

    def score(self, values: Sequence[float | bool | None]) -> float:
        """Return the score of one row; raises RunError E6453 on a row of another shape."""
        try:
            row = np.array([values], dtype=np.float32)
        except (ValueError, TypeError, OverflowError) as error:
            raise RunError.of("E6453", f"a row has a value that is no number: {error}") from error
        score = float(self._scores(row)[0])
        return score if math.isfinite(score) else math.nan

    def score_batch(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores [rows] of an array [rows, features] with NaN for missing values."""
        return self._scores(np.ascontiguousarray(rows, np.float32)).astype(np.float64)

    def _scores(self, rows: NDArray[np.float32]) -> NDArray[np.floating]:
        if rows.ndim != 2 or rows.shape[1] != self._features:  # noqa: PLR2004 - rows and features
            raise RunError.of("E6453", f"the rows have the shape {rows.shape}", expected=f"(rows, {self._features})")
        scores: NDArray[np.floating] = self._session.run(self._outputs, {self._input: rows})[0]
        return scores.reshape(len(rows))
