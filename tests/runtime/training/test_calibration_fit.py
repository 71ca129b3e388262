"""Fitting a calibration: it improves probabilities and keeps the order."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving import calibration as served
from mlsd_framework.runtime.training import calibration

RANDOM = np.random.default_rng(3)
TRUE = RANDOM.beta(1, 8, 4000)
LABEL = (RANDOM.random(4000) < TRUE).astype(float)
SCORE = TRUE**0.5  # far too high, in the right order


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_fit_brings_probabilities_near_the_truth(method: calibration.Method, tmp_path: Path) -> None:
    """Closer to the true probabilities than the scores by far, never falling, and the same after writing."""
    fitted = calibration.fit(method, SCORE, LABEL)
    probability = fitted.batch(SCORE)
    assert np.abs(probability - TRUE).mean() < np.abs(SCORE - TRUE).mean() / 5
    assert (np.diff(probability[np.argsort(SCORE)]) >= 0).all()
    calibration.write(tmp_path / "calibration.json", fitted)
    assert served.read(tmp_path / "calibration.json") == fitted


def test_the_sigmoid_is_the_line_that_logistic_regression_finds() -> None:
    """Against scikit-learn without a penalty; Platt's smoothing of targets moves it little."""
    odds = np.log(SCORE / (1 - SCORE))
    expected = LogisticRegression(C=1e9).fit(odds[:, None], LABEL)
    fitted = calibration.fit("sigmoid", SCORE, LABEL)
    assert isinstance(fitted, served.Sigmoid)
    assert fitted.slope == pytest.approx(expected.coef_[0, 0], rel=0.02)
    assert fitted.intercept == pytest.approx(expected.intercept_[0], rel=0.02)


def test_a_perfect_separation_stays_finite() -> None:
    """Platt's targets keep the slope finite."""
    fitted = calibration.fit("sigmoid", np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1]))
    assert isinstance(fitted, served.Sigmoid)
    assert np.isfinite([fitted.slope, fitted.intercept]).all()


def test_one_class_is_refused() -> None:
    """There is nothing to fit."""
    with pytest.raises(RunError, match="E6330"):
        calibration.fit("isotonic", SCORE, np.zeros(4000))
