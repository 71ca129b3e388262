"""A pipeline's figures are those of the ranking metrics, at every stage, source and baseline, and on every slice."""

import json

import numpy as np
import pytest

from mlsd_framework.runtime.ranking_metrics.accuracy import per_request
from mlsd_framework.runtime.ranking_metrics.estimates import Bootstrap, means, ratio
from mlsd_framework.runtime.ranking_metrics.relevance import judge
from mlsd_framework.runtime.training.gates import Gate
from mlsd_framework.runtime.training.metrics.slices import SliceBy
from mlsd_framework.runtime.training.recommendation import results
from mlsd_framework.runtime.training.recommendation.evaluation import measure
from tests.runtime.training.recommendation.small import subject

DRAWN = Bootstrap(200, seed=3)


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
            assert found.values[name] == means({name: values}, DRAWN)[name]
            assert found.ratios[name].baseline == "most popular"
            assert found.ratios[name].estimate == ratio(values, per_request(name, base), DRAWN)
        assert found.curve[-1][1] == pytest.approx(found.values["recall"].value)
    assert measured.last.values["recall"].left_out == 1


def test_the_file_says_what_was_measured() -> None:
    """JSON without NaN; what is not known is null."""
    measured = measure(subject(), metrics=["ndcg@2"], k=2, slices=[SliceBy("country", min_rows=1)])
    told = json.loads(results.text(measured, system="shop", version="0" * 12, facts={}), parse_constant=pytest.fail)
    assert told["lists"][3]["values"]["ndcg@2"]["value"] == measured.last.values["ndcg@2"].value
    assert told["slices"][-1]["name"] == "country=null"
    assert told["slices"][-1]["values"]["ndcg@2"] == {"value": None, "requests": 0, "left_out": 1}


def test_gates_meet_a_stage_or_a_slice() -> None:
    """The last stage unless named; what is not there is not known, and fails."""
    asked = [
        Gate("recall@3", ">=", 0.4),
        Gate("recall@5", ">=", 0.7, stage="merged"),
        Gate("recall@3", ">=", 0.6, slice="country=NL"),
        Gate("recall@3", ">=", 0.0, slice="new_items"),
        Gate("recall@3", ">=", 0.0, slice="country=BE"),
        Gate("recall@3", ">=", 0.0, part="validate"),
        Gate("coverage@3", ">", 0.5),
    ]
    measured = measure(subject(), metrics=[], slices=[SliceBy("country")], gates=asked)
    met = [outcome.value for outcome in measured.gates]
    assert met == pytest.approx([2 / 3, 5 / 6, 2 / 3, 0.0, np.nan, np.nan, 5 / 8], nan_ok=True)
    assert [outcome.holds for outcome in measured.gates] == [True, True, True, True, False, False, True]
