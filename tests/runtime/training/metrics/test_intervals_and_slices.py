"""Bootstrap intervals and slices."""

import numpy as np
import pytest

from mlsd_framework.runtime.training.metrics.bootstrap import Resamples
from mlsd_framework.runtime.training.metrics.cards import daily_card_precision
from mlsd_framework.runtime.training.metrics.registry import evaluate
from mlsd_framework.runtime.training.metrics.scored import Scored
from mlsd_framework.runtime.training.metrics.slices import SliceBy, sliced

RANDOM = np.random.default_rng(0)
LABEL = (RANDOM.random(2000) < 0.1).astype(float)
ROWS = Scored(LABEL, LABEL + RANDOM.normal(size=2000), probability=np.clip(RANDOM.random(2000), 0, 1))


@pytest.mark.parametrize("resamples", [Resamples(300), Resamples(300, stratified=False)])
def test_the_interval_of_a_mean_is_the_textbooks(resamples: Resamples) -> None:
    """The Brier score is a mean, so its interval is near 1.96 standard errors; the seed decides it."""
    value = evaluate(["brier"], ROWS, resamples=resamples)[0]
    assert ROWS.probability is not None
    error = ((ROWS.probability - LABEL) ** 2).std() / 2000**0.5
    assert value.interval is not None
    assert value.interval.low == pytest.approx(value.value - 1.96 * error, abs=error)
    assert value.interval.high == pytest.approx(value.value + 1.96 * error, abs=error)
    assert evaluate(["brier"], ROWS, resamples=resamples)[0] == value


def test_stratified_resamples_keep_the_number_of_positives() -> None:
    """Every resample has as many positives and rows as the data."""
    for weight in Resamples(5).weights(ROWS):
        assert (weight @ LABEL, weight.sum()) == (LABEL.sum(), 2000)


def _cards(seed: int, days: int) -> Scored:
    """Draw payments of 1,000 cards, 20 of them compromised from a random day on, whose scores tell them in part."""
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), 600)
    card = random.integers(0, 1000, len(day))
    taken = np.where(np.arange(1000) < 20, random.integers(0, days, 1000), days)
    label = (day >= taken[card]).astype(float)
    return Scored(label, 2 * label + random.normal(size=len(day)), entity=card, day=day)


@pytest.mark.parametrize("seed", range(10))
def test_the_interval_of_card_precision_holds_it(seed: int) -> None:
    """It lies about the value, as wide as the standard error of a mean of days says."""
    rows = _cards(seed, 30)
    value = evaluate(["card_precision@20"], rows, resamples=Resamples(400))[0]
    error = daily_card_precision(rows, 20).std() / 30**0.5
    assert value.interval is not None
    assert value.interval.low < value.value < value.interval.high
    assert value.interval.low == pytest.approx(value.value - 1.96 * error, abs=0.6 * error)
    assert value.interval.high == pytest.approx(value.value + 1.96 * error, abs=0.6 * error)


def test_metrics_of_rows_and_of_days_keep_their_places() -> None:
    """Each interval belongs to its metric, in whichever order they are asked for, and is the one found alone."""
    rows = _cards(0, 10)
    names = ["card_precision@5", "roc_auc", "card_precision@20", "average_precision"]
    together = evaluate(names, rows, resamples=Resamples(20))
    assert together == tuple(evaluate([name], rows, resamples=Resamples(20))[0] for name in names)


def test_slices_by_value_and_by_bin() -> None:
    """Small slices are left out, nulls are a slice, the last bin is closed."""
    kind = np.array(["a"] * 1500 + ["b"] * 450 + [None] * 50, dtype=object)
    amount = np.concatenate([np.linspace(0, 100, 1999), [np.nan]])
    by = [SliceBy("kind"), SliceBy("amount", edges=(0, 50, 100), min_rows=1)]
    found = sliced(["roc_auc"], ROWS, {"kind": kind, "amount": amount}, by)
    assert [(s.column, s.value, s.rows) for s in found] == [
        ("kind", "a", 1500),
        ("kind", "b", 450),
        ("amount", "0 to 50", 999),
        ("amount", "50 to 100", 1000),
        ("amount", "null", 1),
    ]
    assert found[0].values[0].value == evaluate(["roc_auc"], ROWS.take(kind == "a"))[0].value
