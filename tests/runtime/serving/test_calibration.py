"""Applying a calibration: one row and many rows give the same bits, without numpy for one."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.calibration import Calibration, Isotonic, Sigmoid, Uncalibrated, parse

SCORE = st.floats(0, 1, allow_subnormal=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(SCORE, min_size=1, max_size=8, unique=True), st.lists(SCORE, min_size=1, max_size=40), st.data())
def test_one_row_and_many_give_the_same_bits(points: list[float], scores: list[float], data: st.DataObject) -> None:
    """For each method, and close to numpy's own interpolation."""
    heights = sorted(data.draw(st.lists(SCORE, min_size=len(points), max_size=len(points))))
    isotonic = Isotonic(tuple(sorted(points)), tuple(heights))
    asked = np.array([*scores, *points, 0.0, 1.0])
    for calibration in (isotonic, Sigmoid(1.3, -0.2), Sigmoid(-40.0, 5.0), Uncalibrated()):
        one_by_one = [calibration(score) for score in asked.tolist()]
        assert calibration.batch(asked).tolist() == one_by_one
    assert isotonic.batch(asked) == pytest.approx(np.interp(asked, isotonic.scores, isotonic.probabilities), abs=1e-6)


@pytest.mark.parametrize("calibration", [Uncalibrated(), Sigmoid(2.0, -1.0), Isotonic((0.1, 0.4), (0.0, 0.9))])
def test_what_is_written_is_read_back(calibration: Calibration) -> None:
    """JSON there and back is the same calibration."""
    assert parse(json.dumps(calibration.as_json())) == calibration


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"method": "spline"}',
        '{"method": "sigmoid", "slope": 1}',
        '{"method": "isotonic", "scores": [0.2, 0.1], "probabilities": [0, 1]}',
        '{"method": "isotonic", "scores": [0.1, 0.2], "probabilities": [0.5, 0.4]}',
        '{"method": "isotonic", "scores": [0.1], "probabilities": [7]}',
        '{"method": "isotonic", "scores": [], "probabilities": []}',
    ],
)
def test_a_damaged_file_is_refused(content: str) -> None:
    """Never a traceback of another kind."""
    with pytest.raises(RunError, match="E6331"):
        parse(content)


def test_one_row_needs_no_numpy() -> None:
    """The scalar side imports nothing heavy."""
    program = (
        "import sys; from mlsd_framework.runtime.serving.calibration import parse;"
        'assert parse(\'{"method": "sigmoid", "slope": 1, "intercept": 0}\')(0.25) == 0.25;'
        "assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
