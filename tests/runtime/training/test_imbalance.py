"""Imbalance: only the training part changes."""

import numpy as np
import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.training import imbalance
from mlsd_framework.runtime.training.splits import Parts

LABEL = np.array([1] * 10 + [0] * 90 + [1, 0, 0, 1, 0])
PARTS = Parts(np.arange(100), np.arange(100, 103), np.arange(103, 105))
FEATURES = np.random.default_rng(0).normal(size=(105, 3)).astype(np.float32)


def test_class_weights_balance_the_training_part() -> None:
    """Balanced weights give both classes the same total; the root is softer; stated ones are kept."""
    balanced = imbalance.class_weights(PARTS, LABEL, "balanced")
    assert balanced[1] * 10 == pytest.approx(balanced[0] * 90) == pytest.approx(50)
    assert imbalance.class_weights(PARTS, LABEL, "sqrt_balanced")[1] == pytest.approx(balanced[1] ** 0.5)
    assert imbalance.class_weights(PARTS, LABEL, {0: 1, 1: 7}) == {0: 1.0, 1: 7.0}


@pytest.mark.parametrize("ratio", [0.5, 1.0])
def test_sampling_reaches_the_ratio_and_touches_no_other_part(ratio: float) -> None:
    """Under-sampling drops negatives, over-sampling repeats positives."""
    under = imbalance.under_sample(PARTS, LABEL, ratio=ratio)
    over = imbalance.over_sample(PARTS, LABEL, ratio=ratio)
    for sampled in (under, over):
        positives = LABEL[sampled.train].sum()
        assert positives / (len(sampled.train) - positives) == pytest.approx(ratio, abs=0.02)
        assert sampled.validate is PARTS.validate
        assert sampled.test is PARTS.test
    assert set(under.train) <= set(PARTS.train)
    assert set(over.train) == set(PARTS.train)


def test_smote_adds_rows_of_the_rare_class_from_the_training_part_only() -> None:
    """The first rows are the training part as it was; synthetic ones lie between its positives."""
    grown = imbalance.smote(PARTS, FEATURES, LABEL, names=("a", "b", "c"), ratio=0.5, seed=1)
    assert grown.label.sum() == 45
    assert grown.synthetic == 35
    assert np.array_equal(grown.features[:100], FEATURES[:100])
    positives = FEATURES[:10]
    assert (grown.features[100:] >= positives.min(axis=0) - 1e-6).all()
    assert (grown.features[100:] <= positives.max(axis=0) + 1e-6).all()


def test_smote_refuses_nulls_and_too_few_rows() -> None:
    """A null in the training part names the feature; nulls elsewhere do not matter."""
    holes = FEATURES.copy()
    holes[103, 0] = np.nan
    imbalance.smote(PARTS, holes, LABEL, names=("a", "b", "c"))
    holes[3, 1] = np.nan
    with pytest.raises(RunError, match=r"E6311.*`b`"):
        imbalance.smote(PARTS, holes, LABEL, names=("a", "b", "c"))
    with pytest.raises(RunError, match=r"E6312.*10 rows"):
        imbalance.smote(PARTS, FEATURES, LABEL, names=("a", "b", "c"), neighbours=10)


def test_one_class_is_refused() -> None:
    """Nothing to balance."""
    with pytest.raises(RunError, match="E6310"):
        imbalance.under_sample(PARTS, np.zeros(105))
