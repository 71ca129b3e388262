"""A log with propensities: which rows count, what is refused, and what a simulated policy would have earned."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.ranking_metrics.estimates import Bootstrap
from mlsd_framework.runtime.ranking_metrics.off_policy import doubly_robust, ips, on_policy, snips
from mlsd_framework.runtime.reranking.chances import Chances
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import DAY, Histories
from mlsd_framework.runtime.training.impressions import Pages
from mlsd_framework.runtime.training.logged import Answered, LoggedActions, Rates
from mlsd_framework.runtime.training.parts import Moment

CATALOGUE = Catalogue(tuple(range(6)))
PAGES = Pages(user="who", item="what", time="when", request="page")
ACTIONS = LoggedActions(PAGES, reward="earned", propensity="chance", position="place")
TEST = Moment(10 * DAY, "test", 7 * DAY)


def log(**columns: object) -> pl.LazyFrame:
    """Return two rows of one page of the test, changed by `columns`."""
    rows: dict[str, object] = {
        "who": ["ann", "ann"],
        "what": [1, 77],
        "when": [11 * DAY, 11 * DAY + 5],
        "page": [4, 4],
        "place": [1, 2],
        "earned": [1.5, 0.0],
        "chance": [0.5, 0.25],
        **columns,
    }
    return pl.LazyFrame(rows, strict=False).with_columns(pl.col("when").cast(pl.Datetime("us", "UTC")))


@pytest.mark.parametrize(
    ("columns", "code", "said"),
    [
        ({"chance": [None, None]}, "E6384", "no impression of the test has a `chance` and a `earned`"),
        ({"when": [9 * DAY, 9 * DAY]}, "E6384", "no impression of the test"),
        ({"chance": [0.5, 1.5]}, "E6383", "`chance` of an impression is 1.5"),
        ({"chance": [0.0, 0.5]}, "E6383", "`chance` of an impression is 0"),
        ({"place": [1, 0]}, "E6385", "`place` of an impression is 0"),
    ],
)
def test_what_is_no_log_of_a_policy_is_refused(columns: dict[str, object], code: str, said: str) -> None:
    """By the column and what it holds."""
    with pytest.raises(RunError, match=said) as raised:
        ACTIONS.of(log(**columns), CATALOGUE, TEST)
    assert [one.code for one in raised.value.diagnostics] == [code]


def answered(folder: Path, rows: pl.LazyFrame) -> Answered:
    """Return what is written of a log and read again, of requests without a history."""
    found = ACTIONS.of(rows, CATALOGUE, TEST)
    requests = found.asked.rows.height
    at = found.asked.rows["at"].dt.timestamp("us").to_numpy()
    none = Histories(np.zeros(requests + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.int64), at)
    found.write(folder, none, pl.DataFrame({"request": [0]}))
    return Answered.read(folder)


def test_an_item_that_is_gone_counts_and_is_never_shown(tmp_path: Path) -> None:
    """A row of an item outside the catalogue has the probability 0, and a longer log than lists are is refused."""
    found = answered(tmp_path, log())
    assert found.asked.requests["who"].to_list() == ["ann"]
    shown = Candidates(offsets_of([2]), np.array([1, 2], np.int32))
    policy = found.policy(shown, Chances.certain(shown), reward="earned", clip=3.0)
    assert policy.log.target.tolist() == [1.0, 0.0]
    assert policy.log.reward.tolist() == [1.5, 0.0]
    assert (policy.reward, policy.clip) == ("earned", 3.0)
    with pytest.raises(RunError, match="at position 2, and the pipeline shows 1 items"):
        found.policy(shown.top(1), Chances.certain(shown.top(1)), reward="earned")


def test_a_request_is_as_of_its_first_row_though_that_has_no_propensity() -> None:
    """Rows without one are left out after requests are told apart, and requests without any row after that."""
    rows = log(who=["bob", "ann", "ann"], what=[1, 1, 2], when=[11 * DAY, 11 * DAY, 11 * DAY + 5], page=[1, 4, 4],
               place=[1, 1, 2], earned=[0.0, 1.0, 1.0], chance=[None, None, 0.5])  # fmt: skip
    found = ACTIONS.of(rows, CATALOGUE, TEST)
    assert found.asked.rows.rows() == [("ann", datetime(1970, 1, 12, tzinfo=UTC))]
    assert found.rows["__number"].to_list() == [0]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.floats(0, 5)), max_size=40),
    st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 4)), min_size=1, max_size=9),
)
@settings(deadline=None)
def test_rates_are_shrunk_means(rows: list[tuple[int, int, float]], asked: list[tuple[int, int]]) -> None:
    """The mean of all, then of places, then of items, each as if twenty more rows had said nothing."""
    items, places, rewards = (np.array([one[at] for one in rows]) for at in range(3))
    found = Rates.fit(items.astype(np.int32), places.astype(np.int64), rewards.astype(np.float64), 4)
    mean = sum(one[2] for one in rows) / len(rows) if rows else 0.0
    of_place = {
        place: sum(one[2] - mean for one in rows if one[1] == place) / (sum(one[1] == place for one in rows) + 20)
        for place in range(5)
    }
    of_item = {
        item: sum(one[2] - mean - of_place[one[1]] for one in rows if one[0] == item)
        / (sum(one[0] == item for one in rows) + 20)
        for item in range(-1, 4)
    }
    said = found.of(np.array([one[0] for one in asked], np.int32), np.array([one[1] for one in asked], np.int64))
    assert said == pytest.approx([mean + of_place[place] + of_item[item] for item, place in asked])


def test_rewards_are_modelled_by_what_was_known_before() -> None:
    """Rows of the test say nothing about the model, nor do those whose reward was not known when it began."""
    rows = log(when=[9 * DAY, 12 * DAY], page=[3, 4])
    assert ACTIONS.of(rows, CATALOGUE, TEST).rates.mean == 1.5
    late = LoggedActions(PAGES, "earned", "chance", "place", known_after=timedelta(days=2))
    assert late.of(rows, CATALOGUE, TEST).rates.mean == 0.0


RATES = np.linspace(0.05, 0.55, 6)


def simulated(seed: int, pages: int = 2000, epsilon: float = 0.4) -> pl.LazyFrame:
    """Return the log of an epsilon-greedy policy that likes the worst item, two places a page, the second seen less."""
    draw = np.random.default_rng(seed)
    explored = draw.random(2 * pages) < epsilon
    items = np.where(explored, draw.integers(0, 6, 2 * pages), 0)
    places = np.tile([1, 2], pages)
    at = np.repeat(draw.integers(4 * DAY, 17 * DAY, pages), 2)
    return pl.LazyFrame(
        {
            "who": np.repeat([f"user {one % 500}" for one in range(pages)], 2),
            "what": items,
            "when": pl.Series(at).cast(pl.Datetime("us", "UTC")),
            "page": np.repeat(np.arange(pages), 2),
            "place": places,
            "earned": (draw.random(2 * pages) < RATES[items] * np.where(places == 1, 1.0, 0.6)).astype(np.float64),
            "chance": np.where(items == 0, 1 - epsilon + epsilon / 6, epsilon / 6),
        }
    )


def test_estimates_cover_what_another_policy_earns(tmp_path: Path) -> None:
    """Of fifteen logs the intervals of nearly all hold what the best order earns, which what was earned never does."""
    truth, bootstrap = (RATES[5] + 0.6 * RATES[4]) / 2, Bootstrap(100)
    covered, off = np.zeros(3), np.zeros(3)
    for seed in range(15):
        found = answered(tmp_path, simulated(seed))
        requests = found.asked.requests.height
        shown = Candidates(offsets_of([2] * requests), np.tile(np.array([5, 4], np.int32), requests))
        policy = found.policy(shown, Chances.certain(shown), reward="earned")
        log, expected, of_shown = policy.log, policy.expected, policy.of_shown
        assert expected is not None
        assert of_shown is not None
        naive = on_policy(log.reward, bootstrap, log.units)
        assert naive.interval is not None
        assert naive.interval.high < truth
        estimates = [one(log, bootstrap=bootstrap) for one in (ips, snips)]
        estimates.append(doubly_robust(log, expected, of_shown, bootstrap=bootstrap))
        for at, estimate in enumerate(estimates):
            assert estimate.interval is not None
            covered[at] += estimate.interval.low <= truth <= estimate.interval.high
            off[at] += (estimate.value - truth) / estimate.standard_error / 15
            assert estimate.mean_weight == pytest.approx(1, abs=0.25)
    assert covered.min() >= 12
    assert np.abs(off).max() < 0.8
