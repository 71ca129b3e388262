"""A pipeline's figures are those of the ranking metrics, at every stage, source and baseline, and on every slice."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.ranking_metrics.accuracy import per_request
from mlsd_framework.runtime.ranking_metrics.estimates import Bootstrap, means, ratio
from mlsd_framework.runtime.ranking_metrics.funnel import funnel
from mlsd_framework.runtime.ranking_metrics.off_policy import Log, doubly_robust, ips, on_policy
from mlsd_framework.runtime.ranking_metrics.relevance import judge
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.training.gates import Gate
from mlsd_framework.runtime.training.metrics.slices import SliceBy
from mlsd_framework.runtime.training.recommendation import results
from mlsd_framework.runtime.training.recommendation.evaluation import measure
from mlsd_framework.runtime.training.recommendation.measured import Measured, MeasuredSlice
from mlsd_framework.runtime.training.recommendation.subject import LoggedPolicy
from tests.runtime.ranking_metrics.plain_metrics import GAINS, RANKED, alike, candidates, plain, relevant
from tests.runtime.training.recommendation.small import ITEMS, NOW, catalogue, subject

DRAWN = Bootstrap(200, seed=3)
SMALL = st.lists(st.integers(0, ITEMS - 1), max_size=6)


def _slice(measured: Measured, name: str) -> MeasuredSlice:
    return next(one for one in measured.slices if one.name == name)


def test_every_list_has_every_metric_as_it_is_computed_directly() -> None:
    """Values, intervals and ratios of sources, stages and baselines, in the order they stand in."""
    one = subject()
    measured = measure(one, metrics=["ndcg@2", "recall"], k=2, bootstrap=DRAWN)
    lists = [*one.sources.items(), *one.stages.items(), *one.baselines.items()]
    assert [found.name for found in measured.lists] == [name for name, _ in lists]
    base = judge(one.baselines["most popular"], one.relevant)
    for found, (_, ranked) in zip(measured.lists, lists, strict=True):
        for name in ("ndcg@2", "recall"):
            values = per_request(name, judge(ranked, one.relevant))
            assert alike(found.values[name], means({name: values}, DRAWN)[name])
            assert found.ratios[name].baseline == "most popular"
            assert alike(found.ratios[name].estimate, ratio(values, per_request(name, base), DRAWN))
        assert found.curve[-1][1] == pytest.approx(found.values["recall"].value)
    assert measured.last.values["recall"].left_out == 1
    assert measured.funnel == funnel(one.sources, one.stages, one.relevant, 2)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(RANKED, GAINS, SMALL), min_size=1, max_size=5), st.integers(0, 3))
def test_slices_are_those_of_plain_code(
    requests: list[tuple[list[int], dict[int, float], list[int]]], short: int
) -> None:
    """Users by the length of their history, items by whether the user had them and when they were first seen."""
    ranked = [[item for item in one if item < ITEMS] for one, _, _ in requests]
    gains = [{item: gain for item, gain in one.items() if item < ITEMS} for _, one, _ in requests]
    had = [one for _, _, one in requests]
    lengths = np.array([0, *map(len, had)])
    one = subject(
        requests=pl.DataFrame({"user": range(len(requests)), "country": ["NL"] * len(requests)}),
        relevant=relevant(gains),
        histories=Histories(
            np.cumsum(lengths), np.array([item for one in had for item in one], np.int32),
            np.zeros(lengths.sum(), np.int64), np.full(len(requests), NOW),
        ),
        sources={"only": candidates(ranked)},
        stages={"taken": candidates(ranked)},
        baselines={},
    )  # fmt: skip
    measured = measure(one, metrics=["recall@3"], k=3, short_history=short, new_item_days=7)
    of_requests = {
        "no_history": [not items for items in had],
        "cold_start": [len(items) < short for items in had],
        "warm": [len(items) >= short for items in had],
    }
    for name, inside in of_requests.items():
        values = [plain("recall", (ranked[at], gains[at]), 3) for at, is_in in enumerate(inside) if is_in]
        assert _slice(measured, name).requests == sum(inside)
        assert _slice(measured, name).values["recall@3"].value == pytest.approx(_mean(values), nan_ok=True)
    of_items = {
        "new_to_user": lambda at, item: item not in had[at],
        "known_to_user": lambda at, item: item in had[at],
        "new_items": lambda _, item: item >= ITEMS - 2,
        "old_items": lambda _, item: item < ITEMS - 2,
    }
    for name, is_in in of_items.items():
        only = [{item: gain for item, gain in one.items() if is_in(at, item)} for at, one in enumerate(gains)]
        values = [plain("recall", (ranked[at], wanted), 3) for at, wanted in enumerate(only)]
        found = _slice(measured, name)
        assert found.relevant == sum(gain > 0 for wanted in only for gain in wanted.values())
        assert found.requests == sum(any(gain > 0 for gain in wanted.values()) for wanted in only)
        assert found.values["recall@3"].value == pytest.approx(_mean(values), nan_ok=True)
    novel = [[item for item in one if item not in had[at]] for at, one in enumerate(ranked)]
    values = [
        plain("recall", (novel[at], {item: gain for item, gain in one.items() if item not in had[at]}), 3)
        for at, one in enumerate(gains)
    ]
    assert _slice(measured, "discovery").values["recall@3"].value == pytest.approx(_mean(values), nan_ok=True)


def test_discovery_is_told_of_the_lists_before_they_are_cut() -> None:
    """What the user had fills the last list; what is new stands behind it in the stage before."""
    found = candidates([[0, 1, 2, 3], [0, 1]])
    at = np.full(2, NOW)
    history = Histories(np.array([0, 2, 3]), np.array([0, 1, 0], np.int32), np.zeros(3, np.int64), at)
    one = subject(
        requests=pl.DataFrame({"user": [0, 1], "country": ["NL", "NL"]}),
        relevant=relevant([{3: 1.0, 1: 1.0}, {5: 1.0}]),
        histories=history,
        sources={"only": found},
        stages={"ranked": found, "taken": found.top(2), "shorter": found.top(1)},
        baselines={"only": found},
    )
    asked = [Gate("mrr@2", ">=", 0.2, slice="discovery"), Gate("mrr@2", ">=", 0.0, slice="discovery", stage="taken")]
    measured = measure(one, metrics=["mrr@2"], gates=asked)
    discovery = _slice(measured, "discovery")
    assert (discovery.stage, discovery.requests, discovery.relevant) == ("ranked", 2, 2)
    assert discovery.values["mrr@2"].value == pytest.approx((1 / 2 + 0) / 2)
    assert discovery.ratios["mrr@2"].estimate.value == pytest.approx(1.0)
    assert [outcome.value for outcome in measured.gates] == pytest.approx([1 / 4, 0.0])


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return sum(known) / len(known) if known else float("nan")


def test_what_lies_beyond_relevance_by_hand() -> None:
    """Novelty in bits, serendipity without what was had or is popular, lift over distinct items of the history."""
    vectors = np.zeros((ITEMS, 2))
    vectors[:, 0], vectors[4] = 1.0, (0.0, 1.0)
    measured = measure(subject(catalogue=catalogue(vectors=vectors)), metrics=[], k=3)
    last = {name.partition("@")[0]: one.value for name, one in measured.last.values.items()}
    bits = [np.log2(6 / met) for met in (2, 5, 4, 1, 5, 4, 5, 4, 3)]
    assert last["novelty"] == pytest.approx(np.mean(bits))
    popularity = [11 / 3, 10 / 3, 12 / 3]
    assert last["average_popularity"] == pytest.approx(np.mean(popularity))
    histories = [(4 + 2) / 2, (5 + 4 + 3 + 3 + 2 + 1) / 6]
    assert last["popularity_lift"] == pytest.approx(np.mean([popularity[0] / histories[0], 4 / histories[1]]) - 1)
    # Of the relevant that are shown, item 1 was had and items 0 and 1 are popular: what is left is item 5.
    assert last["serendipity"] == pytest.approx((0 + 1 / 3) / 2)
    assert last["coverage"] == 5 / 8
    # Of the three lists only the first has an item that is unlike the two others.
    assert last["intra_list_diversity"] == pytest.approx((2 / 3 + 0 + 0) / 3)


def test_exposure_is_told_by_group() -> None:
    """Shares of what is shown, of what was relevant, and of the catalogue; largest first."""
    (groups,) = measure(subject(), metrics=[], k=3).exposure.values()
    assert [(one.group, one.catalogue) for one in groups] == [("a", 0.5), ("b", 0.5)]
    assert [one.shown for one in groups] == pytest.approx([7 / 9, 2 / 9])
    assert [one.relevant for one in groups] == pytest.approx([2 / 5, 3 / 5])


def test_a_user_of_several_requests_is_drawn_whole() -> None:
    """Intervals and ratios are those of users, of slices too; one user says nothing of another."""
    one = subject(requests=pl.DataFrame({"user": ["u", "u", None], "country": ["NL", "NL", "BE"]}))
    measured = measure(one, metrics=["recall@3"], slices=[SliceBy("country", min_rows=1)], bootstrap=DRAWN)
    values = per_request("recall@3", judge(one.stages["taken"], one.relevant))
    assert alike(measured.last.values["recall@3"], means({"m": values}, DRAWN, np.array([1, 1, 0]))["m"])
    assert _slice(measured, "country=NL").values["recall@3"].interval is None


def test_requests_without_a_user_are_of_different_ones() -> None:
    """Nulls are drawn one by one; a user column of any type will do."""
    one = subject(requests=pl.DataFrame({"user": [None, "u", None], "country": ["NL"] * 3}))
    assert one.units is None
    several = replace(
        one,
        requests=pl.DataFrame({"user": [None, "u", None, "u"], "country": ["NL"] * 4}),
        relevant=relevant([{}] * 4),
        histories=Histories(np.zeros(5, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64), np.full(4, NOW)),
        sources={"one": candidates([[]] * 4)},
        stages={"taken": candidates([[]] * 4)},
        baselines={},
    )
    assert several.units is not None
    assert several.units.tolist() == [-1, 1, -2, 1]


def test_metrics_deeper_than_the_last_lists_are_sliced_where_they_say_something() -> None:
    """recall@5 of lists of three is told of the stage before, and of the last where a gate says nothing else."""
    measured = measure(subject(), metrics=["recall@3", "recall@5"], gates=[Gate("recall@5", ">=", 0.7)])
    last = ["taken"] * 5 + ["merged"] + ["taken"] * 2  # `discovery` is told of the lists before they are cut
    assert [one.stage for one in measured.slices] == last + ["merged"] * 7
    assert [list(one.values) for one in measured.slices[::8]] == [["recall@3"], ["recall@5"]]
    assert list(_slice(measured, "discovery").values) == ["recall@3", "recall@5"]
    assert (measured.stage_of("recall@3").name, measured.stage_of("recall").name) == ("taken", "taken")
    assert measured.gates[0].value == pytest.approx(2 / 3)


def test_the_best_baseline_is_found_metric_by_metric() -> None:
    """One that knows nothing where another knows something never is the best."""
    one = subject(baselines={"none": candidates([[], [], []]), "one": candidates([[7], [2, 0], []])})
    measured = measure(one, metrics=["recall@1", "recall@2", "novelty@2"])
    assert {name: found.baseline for name, found in measured.last.ratios.items() if "recall" in name} == {
        "recall@1": "one",
        "recall@2": "one",
    }
    assert "novelty@2" not in measured.last.ratios
    assert measured.last.ratios["recall@2"].estimate.value == pytest.approx((0 + 1) / (1 / 3 + 1 / 2))


def test_one_source_without_baselines_is_enough() -> None:
    """No ratios; what one source found is found by it alone."""
    one = subject(sources={"near": subject().sources["near"]}, baselines={})
    measured = measure(one, metrics=["recall@3"], bootstrap=DRAWN)
    assert all(not found.ratios for found in (*measured.lists, *measured.slices))
    assert measured.funnel.sources[0].unique == measured.funnel.sources[0].found == 3


@pytest.mark.parametrize("requests", [0, 3])
def test_nothing_relevant_gives_figures_that_are_not_known(requests: int) -> None:
    """Also without any request; gates fail."""
    empty = candidates([[0, 1]] * requests)
    one = subject(
        requests=pl.DataFrame({"user": range(requests), "country": ["NL"] * requests}),
        relevant=relevant([{}] * requests),
        histories=Histories(
            np.zeros(requests + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64), np.full(requests, NOW)
        ),
        sources={"one": empty}, stages={"taken": empty}, baselines={"other": empty},
    )  # fmt: skip
    asked = [Gate("recall@3", ">=", 0.0), Gate("recall@3", ">=", 0.0, slice="new_items")]
    measured = measure(one, metrics=["recall@3"], gates=asked, bootstrap=DRAWN, slices=[SliceBy("country", min_rows=1)])
    assert np.isnan(measured.last.values["recall@3"].value)
    assert not any(outcome.holds for outcome in measured.gates)
    assert all(np.isnan(found.values["recall@3"].value) for found in measured.slices)
    assert "NaN" not in results.text(measured, system="s", version="0", facts={})


def test_gates_meet_a_stage_or_a_slice() -> None:
    """The last stage unless named; a gate's slice is kept though small; what is not there is not known, and fails."""
    asked = [
        Gate("recall@3", ">=", 0.4),
        Gate("recall@5", ">=", 0.7, stage="merged"),
        Gate("recall@3", ">=", 0.6, slice="country=NL"),
        Gate("recall@5", ">=", 0.5, slice="new_to_user", stage="merged"),
        Gate("recall@3", ">=", 0.0, slice="new_items"),
        Gate("recall@3", ">=", 0.0, slice="country=BE"),
        Gate("recall@3", ">=", 0.0, part="validate"),
        Gate("recall@3", ">=", 0.0, stage="mixed"),
        Gate("coverage@3", ">", 0.5),
        Gate("coverage@3", ">", 0.5, slice="cold_start"),
    ]
    measured = measure(subject(), metrics=[], slices=[SliceBy("country")], gates=asked)
    met = [outcome.value for outcome in measured.gates]
    unknown = np.nan
    assert met == pytest.approx(
        [2 / 3, 5 / 6, 2 / 3, (1 / 2 + 1) / 2, 0.0, unknown, unknown, unknown, 5 / 8, unknown], nan_ok=True
    )
    assert [one.gate.where for one in measured.gates[:4]] == [
        "test part",
        "stage merged",
        "test part, slice country=NL",
        "stage merged, slice new_to_user",
    ]
    assert [one.name for one in measured.slices if one.name.startswith("country")] == ["country=NL", "country=NL"]


def test_estimates_of_a_log_are_those_of_the_library() -> None:
    """What was logged, IPS, SNIPS; with a model of rewards the direct and the doubly robust one."""
    log = Log(np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.2, 1.0]), np.array([1.0, 0.1, 0.3]), np.array([0, 0, 1]))
    expected, shown = np.full(3, 0.6), np.full(3, 0.5)
    logged = LoggedPolicy(log, "click", expected, shown, clip=1.5)
    found = measure(subject(logged=logged), metrics=[], bootstrap=DRAWN).policies
    assert [one.estimator for one in found] == ["on_policy", "ips", "snips", "direct", "doubly_robust"]
    assert found[0] == on_policy(log.reward, DRAWN, log.units)
    assert found[1] == ips(log, clip=1.5, bootstrap=DRAWN)
    assert found[4] == doubly_robust(log, expected, shown, clip=1.5, bootstrap=DRAWN)
    assert [one.estimator for one in measure(subject(logged=LoggedPolicy(log)), metrics=[]).policies] == [
        "on_policy", "ips", "snips",
    ]  # fmt: skip


def test_a_gate_holds_an_estimate() -> None:
    """It is of what all users see: for a slice or at a stage there is none, and the gate fails."""
    log = Log(np.array([1.0, 0.0]), np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    gates = [
        Gate("snips", ">=", 0.9),
        Gate("snips", ">=", 0.0, slice="warm"),
        Gate("ips", ">=", 0.0, stage="taken"),
    ]
    found = measure(subject(logged=LoggedPolicy(log)), metrics=["ndcg@10"], gates=gates)
    assert [one.holds for one in found.gates] == [True, False, False]
    assert found.gates[0].value == 1.0
    assert found.metrics == ("ndcg@10",)


def test_the_file_says_what_was_measured() -> None:
    """JSON without NaN; what is not known is null."""
    one = subject(relevant=relevant([{1: 1.0}, {0: 1.0}, {}]))
    measured = measure(one, metrics=["ndcg@2"], k=2, slices=[SliceBy("country", min_rows=1)], bootstrap=DRAWN)
    told = json.loads(results.text(measured, system="shop", version="0" * 12, facts={}), parse_constant=pytest.fail)
    last, estimate = told["lists"][3], measured.last.values["ndcg@2"]
    assert estimate.interval is not None
    assert last["values"]["ndcg@2"] == {
        "value": estimate.value,
        "low": estimate.interval.low,
        "high": estimate.interval.high,
        "requests": 2,
        "left_out": 1,
    }
    assert told["slices"][-1]["name"] == "country=null"
    assert told["slices"][-1]["values"]["ndcg@2"] == {"value": None, "requests": 0, "left_out": 1}


@pytest.mark.parametrize(
    ("metric", "code"),
    [("ndgc@10", "E6322"), ("novelty", "E6322"), ("coverage@0", "E6322"), ("intra_list_diversity@3", "E6323")],
)
def test_metrics_that_cannot_be_are_refused(metric: str, code: str) -> None:
    """A name that is none, a depth that is none, vectors that are not there."""
    with pytest.raises(RunError) as raised:
        measure(subject(), metrics=[metric])
    assert [one.code for one in raised.value.diagnostics] == [code]


@pytest.mark.parametrize(
    "changed",
    [
        {"sources": {}},
        {"stages": {}},
        {"requests": pl.DataFrame({"user": ["u"]})},
        {"relevant": relevant([{1: 1.0}])},
        {"baselines": {"short": candidates([[1]])}},
        {"stages": {"outside": candidates([[8], [], []])}},
    ],
)
def test_parts_that_do_not_fit_together_are_refused(changed: dict[str, object]) -> None:
    """Of other requests, of items outside the catalogue, no source or no stage."""
    with pytest.raises(ValueError, match=r"requests|item 8|one source"):
        subject(**changed)
