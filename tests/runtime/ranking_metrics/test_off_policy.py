"""Off-policy estimates find the value of a policy that did not run: exactly, on average, and on a published log."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.ranking_metrics.estimates import Bootstrap
from mlsd_framework.runtime.ranking_metrics.off_policy import Log, direct, doubly_robust, ips, on_policy, snips

Table = NDArray[np.float64]
CONTEXTS, ACTIONS = 3, 4


def _tables(seed: int) -> tuple[Table, Table, Table]:
    """Return how often each action was shown, the other policy and the mean rewards: [contexts, actions] each."""
    random = np.random.default_rng(seed)
    shown = random.integers(1, 9, (CONTEXTS, ACTIONS)).astype(np.float64)
    return shown, random.dirichlet(np.full(ACTIONS, 0.5), CONTEXTS), random.uniform(0, 1, (CONTEXTS, ACTIONS))


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_a_log_in_exact_proportion_gives_the_exact_value(seed: int) -> None:
    """Each action is logged as often as its propensity says: IPS, SNIPS and any doubly robust estimate are exact."""
    shown, target, reward = _tables(seed)
    context, action = (one.repeat(shown.ravel().astype(int)) for one in np.indices(shown.shape).reshape(2, -1))
    propensity = shown / shown.sum(axis=1, keepdims=True)
    log = Log(reward[context, action], propensity[context, action], target[context, action])
    value = ((target * reward).sum(axis=1) * shown.sum(axis=1)).sum() / shown.sum()
    model = np.random.default_rng(seed + 1).uniform(0, 1, reward.shape)
    expected = (target * model).sum(axis=1)[context]
    for found in (ips(log), snips(log), doubly_robust(log, expected, model[context, action])):
        assert found.value == pytest.approx(value, abs=1e-12), found.estimator
        assert found.mean_weight == pytest.approx(1)
        assert found.clipped == 0


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_the_doubly_robust_estimate_survives_wrong_propensities_with_a_right_model(seed: int) -> None:
    """With the true rewards as model the correction is 0 whatever the weights are."""
    _, target, reward = _tables(seed)
    random = np.random.default_rng(seed)
    context, action = random.integers(0, CONTEXTS, 50), random.integers(0, ACTIONS, 50)
    log = Log(reward[context, action], random.uniform(0.01, 1, 50), target[context, action])
    expected = (target * reward).sum(axis=1)[context]
    found = doubly_robust(log, expected, reward[context, action])
    assert found.value == pytest.approx(direct(log, expected).value) == pytest.approx(expected.mean())


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_a_simulated_bandit_is_valued_within_the_standard_error(seed: int) -> None:
    """10,000 draws of clicks from a bandit of known value: each estimate is within five of its standard errors."""
    shown, target, reward = _tables(seed)
    random = np.random.default_rng(seed)
    propensity = shown / shown.sum(axis=1, keepdims=True)
    context = random.integers(0, CONTEXTS, 10_000)
    action = (random.random(10_000)[:, None] > propensity.cumsum(axis=1)[context]).sum(axis=1).clip(max=ACTIONS - 1)
    click = (random.random(10_000) < reward[context, action]).astype(np.float64)
    log = Log(click, propensity[context, action], target[context, action])
    value = (target * reward).sum(axis=1).mean()
    rough = np.full(reward.shape, 0.5)
    for found in (
        ips(log),
        snips(log),
        doubly_robust(log, (target * rough).sum(axis=1)[context], rough[context, action]),
    ):
        assert abs(found.value - value) < 5 * found.standard_error, found.estimator
        assert 0 < found.effective_size <= found.rows


def _many_logs(rows: int, runs: int) -> list[Log]:
    shown, target, reward = _tables(7)
    propensity = shown / shown.sum(axis=1, keepdims=True)
    logs = []
    for seed in range(runs):
        random = np.random.default_rng(seed)
        context = random.integers(0, CONTEXTS, rows)
        action = (random.random(rows)[:, None] > propensity.cumsum(axis=1)[context]).sum(axis=1).clip(max=ACTIONS - 1)
        click = (random.random(rows) < reward[context, action]).astype(np.float64)
        logs.append(Log(click, propensity[context, action], target[context, action]))
    return logs


def test_standard_errors_and_intervals_are_those_of_drawing_the_log_again() -> None:
    """Over 300 logs of one bandit the spread is the standard error, and 90% intervals cover in about 90%."""
    _, target, reward = _tables(7)
    value = (target * reward).sum(axis=1).mean()
    for estimator in (ips, snips):
        found = [estimator(log, bootstrap=Bootstrap(200, level=0.9)) for log in _many_logs(400, 300)]
        spread = np.std([one.value for one in found])
        assert np.mean([one.standard_error for one in found]) == pytest.approx(spread, rel=0.12)
        covered = [one.interval is not None and one.interval.low <= value <= one.interval.high for one in found]
        assert 0.84 < np.mean(covered) < 0.95, estimator.__name__


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 1), st.floats(0, 1), st.floats(-5, 5)), min_size=2, max_size=20))
def test_figures_are_their_definitions(rows: list[tuple[float, float, float]]) -> None:
    """Clipped weights, effective size, means and standard errors, row by row."""
    propensity, target, reward = (np.array(column) for column in zip(*rows, strict=True))
    log = Log(reward, propensity, target)
    weights = [min(t / p, 3.0) for p, t, _ in rows]
    terms = [weight * row[2] for weight, row in zip(weights, rows, strict=True)]
    found = ips(log, clip=3.0)
    assert found.value == pytest.approx(np.mean(terms), abs=1e-12)
    assert found.standard_error == pytest.approx(np.std(terms, ddof=1) / np.sqrt(len(rows)), abs=1e-12)
    assert found.clipped == np.mean([t / p > 3 for p, t, _ in rows])
    squares = sum(weight**2 for weight in weights)
    assert found.effective_size == pytest.approx(sum(weights) ** 2 / squares if squares else 0)
    if sum(weights) > 1e-6:
        assert min(reward) - 1e-9 <= snips(log, clip=3.0).value <= max(reward) + 1e-9


def test_rows_of_one_unit_count_once() -> None:
    """Each row five times over, as a unit, has the standard error and interval of the rows once."""
    log = _many_logs(200, 1)[0]
    five = Log(*(np.repeat(one, 5) for one in (log.reward, log.propensity, log.target)), np.repeat(np.arange(200), 5))
    once, again = ips(log, bootstrap=Bootstrap()), ips(five, bootstrap=Bootstrap())
    assert again.standard_error == pytest.approx(once.standard_error)
    assert once.interval is not None
    assert again.interval is not None
    assert (again.interval.low, again.interval.high) == pytest.approx((once.interval.low, once.interval.high))
    logged, all_five = on_policy(log.reward, Bootstrap()), on_policy(five.reward, Bootstrap(), five.units)
    assert all_five.standard_error == pytest.approx(logged.standard_error)
    assert logged.interval is not None
    assert all_five.interval is not None
    assert (all_five.interval.low, all_five.interval.high) == pytest.approx((logged.interval.low, logged.interval.high))


@pytest.mark.parametrize(
    ("reward", "propensity", "target", "message"),
    [
        (0.0, 0.0, 0.5, "propensity of row 1 is 0.0"),
        (0.0, 1.5, 0.5, "propensity of row 1 is 1.5"),
        (0.0, np.nan, 0.5, "propensity of row 1 is nan"),
        (0.0, 0.5, -0.1, "probability of row 1 is -0.1"),
        (np.inf, 0.5, 0.5, "reward of row 1 is inf"),
    ],
)
def test_a_log_row_that_cannot_be_used_is_named(reward: float, propensity: float, target: float, message: str) -> None:
    """E6383 says which row and what it has."""
    with pytest.raises(RunError, match=f"E6383.*{message}"):
        Log(np.array([0.0, reward]), np.array([0.5, propensity]), np.array([0.5, target]))


def test_columns_of_other_lengths_and_a_clip_of_zero_are_refused() -> None:
    """A log has one reward, propensity and probability a row; cutting all weights to 0 leaves nothing."""
    with pytest.raises(ValueError, match="same rows"):
        Log(np.ones(2), np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match="above 0"):
        ips(Log(np.ones(2), np.ones(2), np.ones(2)), clip=0)


def test_a_policy_that_shows_nothing_logged_has_no_value() -> None:
    """All weights are 0: IPS is 0, SNIPS and its error NaN, nothing is effective; no warning."""
    log = Log(np.ones(3), np.full(3, 0.5), np.zeros(3))
    assert ips(log).value == 0
    assert np.isnan(snips(log, bootstrap=Bootstrap(10)).value)
    assert ips(log).effective_size == 0
    assert on_policy(np.array([0.0, 1.0])).value == 0.5
