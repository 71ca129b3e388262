"""Metrics against scikit-learn, ties and weights included."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.training.metrics import cards
from mlsd_framework.runtime.training.metrics.bootstrap import Resamples
from mlsd_framework.runtime.training.metrics.registry import METRICS, evaluate, find
from mlsd_framework.runtime.training.metrics.scored import Scored

ROWS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.3, 0.3, 0.5, 0.8, 1.0]), st.integers(0, 3)),
    min_size=2,
    max_size=60,
)
AGAINST = {
    "average_precision": sklearn.average_precision_score,
    "roc_auc": sklearn.roc_auc_score,
    "log_loss": lambda y, p, sample_weight: sklearn.log_loss(y, p, sample_weight=sample_weight, labels=[0, 1]),
    "brier": sklearn.brier_score_loss,
    "mae": sklearn.mean_absolute_error,
    "rmse": lambda y, p, sample_weight: sklearn.mean_squared_error(y, p, sample_weight=sample_weight) ** 0.5,
    "precision_at@0.3": lambda y, p, sample_weight: sklearn.precision_score(
        y, p >= 0.3, sample_weight=sample_weight, zero_division=0
    ),
    "recall_at@0.3": lambda y, p, sample_weight: sklearn.recall_score(y, p >= 0.3, sample_weight=sample_weight),
    "f1_at@0.3": lambda y, p, sample_weight: sklearn.f1_score(y, p >= 0.3, sample_weight=sample_weight),
}


@pytest.mark.parametrize("name", AGAINST)
@settings(max_examples=40, deadline=None)
@given(rows=ROWS)
def test_a_metric_is_what_scikit_learn_computes(name: str, rows: list[tuple[bool, float, int]]) -> None:
    """With ties and weights, and as if a row of weight two were there twice."""
    label, score, weight = (np.array(column, float) for column in zip(*rows, strict=True))
    assume(0 < (label * weight).sum() < weight.sum())
    metric, parameter = find(name)
    scored = Scored(label, score, probability=score)
    value = metric.function(scored, weight, parameter)
    assert value == pytest.approx(AGAINST[name](label, score, sample_weight=weight), rel=1e-9, abs=1e-12)
    twice = scored.take(np.repeat(np.arange(len(label)), weight.astype(int)))
    assert value == pytest.approx(metric.function(twice, np.ones(len(twice)), parameter), rel=1e-9, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.sampled_from([0.2, 0.5, 0.9]))
def test_recall_at_precision_is_the_best_point_of_the_curve(rows: list[tuple[bool, float, int]], wanted: float) -> None:
    """Against scikit-learn's precision-recall curve."""
    label, score, _ = (np.array(column, float) for column in zip(*rows, strict=True))
    assume(0 < label.sum() < len(label))
    precision, recall, _ = sklearn.precision_recall_curve(label, score)
    expected = max(r for p, r in zip(precision, recall, strict=True) if p >= wanted)
    value = evaluate([f"recall_at_precision@{wanted}"], Scored(label, score))[0].value
    assert value == pytest.approx(expected)


def _handbook(day: list[int], card: list[int], score: list[float], label: list[bool], k: int) -> list[float]:
    """Compute each day's card precision as the book words it, one day after another."""
    found: set[int] = set()
    shares = []
    for today in sorted(set(day)):
        best: dict[int, tuple[float, bool]] = {}
        for d, c, s, y in zip(day, card, score, label, strict=True):
            if d == today and c not in found:
                highest, fraud = best.get(c, (-1.0, False))
                best[c] = (max(highest, s), fraud or y)
        shown = sorted(best, key=lambda c: (-best[c][0], c))[:k]
        hits = [c for c in shown if best[c][1]]
        found.update(hits)
        shares.append(len(hits) / k)
    return shares


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 6), st.sampled_from([0.1, 0.5, 0.7, 0.9]), st.booleans()),
        min_size=1,
    ),
    st.integers(1, 4),
)
def test_card_precision_is_the_handbooks(rows: list[tuple[int, int, float, bool]], k: int) -> None:
    """Distinct cards by highest score a day; those found are not shown again; ties go to the smaller card number."""
    day, card, score, label = (list(column) for column in zip(*rows, strict=True))
    scored = Scored(np.array(label, float), np.array(score), entity=np.array(card), day=np.array(day))
    value = cards.card_precision(scored, np.ones(len(set(day))), k)
    assert value == pytest.approx(np.mean(_handbook(day, card, score, label, k)))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 6), st.sampled_from([0.1, 0.5, 0.7, 0.9]), st.booleans()),
        min_size=1,
    ),
    st.integers(1, 3),
    st.integers(0, 9),
)
def test_the_interval_of_card_precision_is_that_of_days_drawn_again(
    rows: list[tuple[int, int, float, bool]], k: int, seed: int
) -> None:
    """Against drawing lists of days and averaging what the book gives for each; one day has no interval."""
    day, card, score, label = (list(column) for column in zip(*rows, strict=True))
    scored = Scored(np.array(label, float), np.array(score), entity=np.array(card), day=np.array(day))
    resamples = Resamples(30, level=0.8, seed=seed)
    found = evaluate([f"card_precision@{k}"], scored, resamples=resamples)[0].interval
    shares = _handbook(day, card, score, label, k)
    if len(shares) == 1:
        assert found is None
        return
    random = np.random.default_rng(seed)
    means = []
    for _ in range(30):
        drawn = random.integers(0, len(shares), len(shares), dtype=np.int32).tolist()
        means.append(sum(shares[number] for number in drawn) / len(drawn))
    assert found is not None
    assert (found.low, found.high) == pytest.approx(np.quantile(means, [0.1, 0.9]))


def test_calibration_errors_on_a_known_case() -> None:
    """Ten rows at 0.8 of which five are positive, ten at 0.1 of which one is: |3|/20 in both kinds of bins."""
    probability = np.repeat([0.8, 0.1], 10)
    label = np.concatenate([np.repeat([1.0, 0.0], 5), [1.0], np.zeros(9)])
    scored = Scored(label, probability, probability=probability)
    values = evaluate(["calibration_error@10", "adaptive_calibration_error@2"], scored)
    assert [v.value for v in values] == pytest.approx([0.15, 0.15])


def test_decisions_and_money() -> None:
    """Precision, recall and F1 of what was acted on, the money lost, and what is saved against doing nothing."""
    scored = Scored(
        np.array([1.0, 1, 0, 0]), np.zeros(4), acted=np.array([True, False, True, False]),
        cost=np.array([0.0, 30, 5, 0]), loss=np.array([70.0, 30, 0, 0]),
    )  # fmt: skip
    values = [v.value for v in evaluate(["precision", "recall", "f1", "cost", "cost_saved"], scored)]
    assert values == pytest.approx([0.5, 0.5, 0.5, 35, 0.65])


def test_every_metric_survives_no_positives_and_no_rows() -> None:
    """NaN or a number, never an exception or a warning."""
    for count in (0, 3):
        zeros = np.zeros(count)
        whole = np.zeros(count, np.int64)
        rows = Scored(zeros, zeros, zeros, zeros > 1, zeros, zeros, whole, whole)
        evaluate(METRICS, rows)


def test_unknown_metrics_and_missing_columns_are_told() -> None:
    """The message lists what there is, or what is missing."""
    rows = Scored(np.zeros(2), np.zeros(2))
    for name in ("auc", "roc_auc@3", "card_precision@x"):
        with pytest.raises(RunError, match="E6322"):
            evaluate([name], rows)
    with pytest.raises(RunError, match=r"E6323.*`day`, `entity`"):
        evaluate(["card_precision@100"], rows)
