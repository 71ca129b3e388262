"""The Open Bandit logs (Saito et al. 2020): two policies ran side by side, so each can be held against the other's log.

Rows are items shown at one of three positions of a fashion page, with click and propensity: 10,000 a policy and
campaign. Clicks are rare, about 4 in 1,000, so intervals are wide; the on-policy value is a sample mean itself.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from mlsd_framework.runtime.data.fetch import fetch
from mlsd_framework.runtime.ranking_metrics.estimates import Bootstrap
from mlsd_framework.runtime.ranking_metrics.off_policy import (
    Log,
    PolicyValue,
    direct,
    doubly_robust,
    ips,
    on_policy,
    snips,
)

pytestmark = pytest.mark.data
URI = "pypi:obp==0.4.1/obp/dataset/obd"
SHA256 = "a869202d869d6f1566f51f84122f655d749b061c8431fb4674fecca2abd041ad"
ITEMS = {"all": 80, "men": 34, "women": 46}
BOOTSTRAP = Bootstrap(1000)


@dataclass(frozen=True)
class Campaign:
    """One policy's log of a campaign: what was shown where, with which probability, and whether it was clicked."""

    item: NDArray[np.int64]
    position: NDArray[np.int64]
    click: NDArray[np.float64]
    propensity: NDArray[np.float64]
    items: int

    def model(self) -> NDArray[np.float64]:
        """Return each row's estimated click rate of all items, from the rows not of its own fold: [rows, items]."""
        fold = np.arange(len(self.item)) % 2
        rates = np.empty((2, self.items))
        for number in (0, 1):
            others = fold != number
            shown = np.bincount(self.item[others], minlength=self.items)
            clicked = np.bincount(self.item[others], self.click[others], minlength=self.items)
            rates[number] = (clicked + 200 * self.click.mean()) / (shown + 200)
        return rates[fold]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the logs, fetched once into the user's cache."""
    return fetch(URI, into=tmp_path_factory.mktemp("obd"), sha256=SHA256).path


def _campaign(folder: Path, policy: str, name: str) -> Campaign:
    rows = pl.read_csv(folder / policy / name / f"{name}.csv")
    return Campaign(
        rows["item_id"].to_numpy(),
        rows["position"].to_numpy() - 1,
        rows["click"].to_numpy().astype(np.float64),
        rows["propensity_score"].to_numpy(),
        ITEMS[name],
    )


def _uniform(log: Campaign) -> NDArray[np.float64]:
    """Return the uniform policy's probabilities: [positions, items]."""
    return np.full((3, log.items), 1 / log.items)


def _frequencies(log: Campaign) -> NDArray[np.float64]:
    """Return how often a policy shows each item at each position: what it is on average over its week."""
    counts = np.bincount(log.position * log.items + log.item, minlength=3 * log.items).reshape(3, log.items)
    return counts / counts.sum(axis=1, keepdims=True)


def _estimates(log: Campaign, policy: NDArray[np.float64], clip: float | None = None) -> dict[str, PolicyValue]:
    logged = Log(log.click, log.propensity, policy[log.position, log.item])
    rates = log.model()
    expected = (policy[log.position] * rates).sum(axis=1)
    of_shown = rates[np.arange(len(log.item)), log.item]
    found = (
        ips(logged, clip=clip, bootstrap=BOOTSTRAP),
        snips(logged, clip=clip, bootstrap=BOOTSTRAP),
        doubly_robust(logged, expected, of_shown, clip=clip, bootstrap=BOOTSTRAP),
        direct(logged, expected, bootstrap=BOOTSTRAP),
    )
    return {one.estimator: one for one in found}


def _agrees(found: PolicyValue, own: PolicyValue) -> None:
    """Check that the interval covers the on-policy value."""
    assert found.interval is not None
    print(f"{found.estimator}: {found.value:.5f} {found.interval}, effective {found.effective_size:.0f}; {own.value}")
    assert found.interval.low <= own.value <= found.interval.high, (found, own)


@pytest.mark.parametrize("name", ITEMS)
def test_thompson_sampling_is_valued_from_the_uniform_log(folder: Path, name: str) -> None:
    """All three weighted estimates cover the click rate that Thompson sampling had itself, unclipped."""
    uniform, sampling = _campaign(folder, "random", name), _campaign(folder, "bts", name)
    own = on_policy(sampling.click, BOOTSTRAP)
    found = _estimates(uniform, _frequencies(sampling))
    for estimator in ("ips", "snips", "doubly_robust"):
        _agrees(found[estimator], own)
        assert found[estimator].mean_weight == pytest.approx(1, abs=0.05)
        assert found[estimator].effective_size > 2000


@pytest.mark.parametrize("name", ITEMS)
def test_the_uniform_policy_is_valued_from_the_log_of_thompson_sampling(folder: Path, name: str) -> None:
    """The harder way: rare items have tiny propensities, so few rows count; weights are cut at 30."""
    uniform, sampling = _campaign(folder, "random", name), _campaign(folder, "bts", name)
    own = on_policy(uniform.click, BOOTSTRAP)
    found = _estimates(sampling, _uniform(uniform), clip=30)
    for estimator in ("ips", "snips", "doubly_robust"):
        _agrees(found[estimator], own)
    assert found["ips"].effective_size < 0.15 * found["ips"].rows
    assert 0 < found["ips"].clipped < 0.005


def test_a_propensity_of_one_in_a_million_shows(folder: Path) -> None:
    """One row weighs as much as twenty thousand: the mean weight is far from 1 and two rows' worth are effective."""
    sampling = _campaign(folder, "bts", "women")
    raw = _estimates(sampling, _uniform(sampling))["ips"]
    cut = _estimates(sampling, _uniform(sampling), clip=30)["ips"]
    assert raw.effective_size < 3
    assert raw.mean_weight > 3
    assert cut.effective_size > 1000
    assert cut.mean_weight < 1
