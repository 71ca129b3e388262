"""Metrics of relevance at k are those of their definitions and of trec_eval, request by request."""

from random import Random

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.ranking_metrics.accuracy import METRICS, per_request
from mlsd_framework.runtime.ranking_metrics.relevance import Judged, Relevant, judge
from tests.runtime.ranking_metrics.plain_metrics import (
    GAINS,
    ITEMS,
    RANKED,
    REQUESTS,
    Request,
    candidates,
    plain,
    relevant,
)

TREC = {
    "recall": ir_measures.R,
    "precision": ir_measures.P,
    "hit_rate": ir_measures.Success,
    "mrr": ir_measures.RR,
    "map": ir_measures.AP,
    "ndcg": ir_measures.nDCG,
}


def _judged(requests: list[Request]) -> Judged:
    return judge(candidates([ranked for ranked, _ in requests]), relevant([gains for _, gains in requests]))


@settings(deadline=None)
@given(REQUESTS, st.integers(1, ITEMS + 2))
def test_each_metric_is_its_definition(requests: list[Request], k: int) -> None:
    """Graded gains, gains of 0 and below, fewer than k candidates, none, nothing relevant: all as written down."""
    judged = _judged(requests)
    for name in METRICS:
        found = per_request(f"{name}@{k}", judged)
        np.testing.assert_allclose(found, [plain(name, one, k) for one in requests], rtol=1e-12, err_msg=name)


@settings(deadline=None)
@given(REQUESTS)
def test_without_k_the_whole_ranking_counts(requests: list[Request]) -> None:
    """The metric is that at the number of candidates, which is precision's divisor; the ideal is not cut."""
    judged = _judged(requests)
    for name in METRICS:
        depths = [max(len(ranked), 1) if name == "precision" else ITEMS for ranked, _ in requests]
        expected = [plain(name, one, depth) for one, depth in zip(requests, depths, strict=True)]
        np.testing.assert_allclose(per_request(name, judged), expected, rtol=1e-12, err_msg=name)


@settings(deadline=None)
@given(REQUESTS.filter(lambda many: all(ranked for ranked, _ in many)), st.integers(1, ITEMS))
def test_each_metric_is_that_of_trec_eval(requests: list[Request], k: int) -> None:
    """`ir_measures`, which runs trec_eval, gives the same number for each request that has relevant items."""
    qrels = [
        ir_measures.Qrel(str(number), str(item), int(gain))
        for number, (_, judged) in enumerate(requests)
        for item, gain in judged.items()
    ]
    run = [
        ir_measures.ScoredDoc(str(number), str(item), -float(place))
        for number, (ranked, _) in enumerate(requests)
        for place, item in enumerate(ranked)
    ]
    ours = {name: per_request(f"{name}@{k}", _judged(requests)) for name in METRICS}
    wanted = {metric @ k: name for name, metric in TREC.items()}
    compared = 0
    for value in ir_measures.iter_calc(list(wanted), qrels, run):
        of_request = ours[wanted[value.measure]][int(value.query_id)]
        if not np.isnan(of_request):
            compared += 1
            assert of_request == pytest.approx(value.value, abs=1e-9), str(value.measure)
    with_relevant = sum(any(gain > 0 for gain in judged.values()) for _, judged in requests)
    assert compared == len(METRICS) * with_relevant


@settings(deadline=None)
@given(RANKED.filter(lambda ranked: len(ranked) > 1), GAINS, st.data())
def test_swapping_a_relevant_item_upwards_never_lowers_a_metric(
    ranked: list[int], gains: dict[int, float], data: st.DataObject
) -> None:
    """Metrics reward order: the larger gain of two neighbours first is at least as good."""
    at = data.draw(st.integers(0, len(ranked) - 2))
    pair = sorted(ranked[at : at + 2], key=lambda item: -gains.get(item, 0.0))
    better = _judged([([*ranked[:at], *pair, *ranked[at + 2 :]], gains)])
    worse = _judged([([*ranked[:at], *pair[::-1], *ranked[at + 2 :]], gains)])
    for name in METRICS:
        high, low = per_request(f"{name}@{at + 1}", better)[0], per_request(f"{name}@{at + 1}", worse)[0]
        assert np.isnan(high) or high >= low - 1e-12


def test_a_duplicate_is_refused_and_named() -> None:
    """E6381 names the item and request of a candidate that stands twice, E6382 of a relevant item."""
    twice = candidates([[1, 2], [3, 4, 3]])
    with pytest.raises(RunError, match=r"E6381.*item 3 .*request 1"):
        judge(twice, relevant([{}, {}]))
    listed = Relevant(np.array([0, 0, 2]), np.array([5, 5], np.int32))
    with pytest.raises(RunError, match=r"E6382.*item 5 .*request 1"):
        judge(candidates([[1], [2]]), listed)
    assert judge(candidates([[1, 2], [1, 2]]), relevant([{2: 1.0}, {1: 1.0}])).ranks.tolist() == [2, 1]


def test_what_cannot_be_judged_is_refused() -> None:
    """Other requests, a gain that is no number, a rank below 1 and an unknown metric."""
    with pytest.raises(ValueError, match="2 requests are ranked and 1 have"):
        judge(candidates([[1], [2]]), relevant([{}]))
    with pytest.raises(ValueError, match="below 0"):
        judge(candidates([[1, -1]]), relevant([{}]))
    with pytest.raises(ValueError, match="no finite number"):
        judge(candidates([[1]]), relevant([{1: float("nan")}]))
    judged = judge(candidates([[1]]), relevant([{1: 1.0}]))
    with pytest.raises(ValueError, match="not 0"):
        METRICS["recall"](judged, 0)
    for name in ("recal@3", "recall@", "recall@0", "recall@1.5", "ndcg@-1"):
        with pytest.raises(RunError, match="E6322"):
            per_request(name, judged)


@settings(deadline=None)
@given(REQUESTS, st.randoms())
def test_pairs_in_any_order_are_the_same_relevant_items(requests: list[Request], random: Random) -> None:
    """A log of (request, item, gain) gives what lists of each request give."""
    pairs = [(number, item, gain) for number, (_, gains) in enumerate(requests) for item, gain in gains.items()]
    random.shuffle(pairs)
    columns = np.array(pairs, np.float64).reshape(-1, 3)
    built = Relevant.of_pairs(columns[:, 0].astype(int), columns[:, 1].astype(np.int32), len(requests), columns[:, 2])
    ranked = candidates([ranked for ranked, _ in requests])
    for name in METRICS:
        once = per_request(name, judge(ranked, built))
        np.testing.assert_allclose(once, per_request(name, _judged(requests)), rtol=1e-12)
