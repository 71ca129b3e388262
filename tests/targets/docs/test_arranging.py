"""The README of a system says what each stage does to candidates."""

from pathlib import Path

import pytest

from mlsd_framework.ir.serving import Stage
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.targets.docs.arranging import arranging

CASE = Path(__file__).parents[1] / "cases" / "recommendation.yaml"
SAID = {
    "filter": r"kept where product.in\_stock and ",
    "boost": "what the score is the logarithm of is multiplied by 1.2",
    "lower": "where product.shelf = 3, -0.5 is added to the score",
    "freshen": "age since `product.launched` takes up to 50% of what the score is the logarithm of, half",
    "diversify": "the first 20 are chosen one by one, 0.7 for the score and 0.3 for unlikeness by `factors`",
    "spread": "2 or more others stand between two of one `product.brand` in the first 20",
    "expose": "`product.brand` has at least these shares of the exposure of the first 20: 20% for Own",
    "cap": "at most 4 of one `product.shelf` among the first 20; what is over stands behind them",
    "cap_brands": "at most 5 of one `product.brand` among the first 20; what is over goes",
    "explore": "ranks 5, 10 show with probability 0.1 any of the 50 nearest behind the first 20 where ",
    "take": "the first `k` are answered",
}


def stages(path: str) -> dict[str, Stage]:
    """Return the stages of an endpoint of the case by name."""
    [endpoint] = [one for one in compile_spec(CASE).system.serving if one.path == path]
    return {stage.name: stage for stage in endpoint.pipeline}


@pytest.mark.parametrize("name", SAID)
def test_a_stage_is_told_in_words(name: str) -> None:
    """Numbers, features and conditions are those of the spec."""
    assert SAID[name] in str(arranging(stages("/recommend")[name]))


def test_thompson_names_its_counts() -> None:
    """Successes and trials are named."""
    said = str(arranging(stages("/alike")["explore"]))
    assert said.startswith("ranks 3, 6 show, by Thompson sampling on `attention.clicks_28d`, `attention.views_28d`, ")


def test_other_stages_have_no_such_words() -> None:
    """Fetching and scoring arrange nothing; retrieving says what is asked for."""
    found = stages("/recommend")
    assert [arranging(found[name]) for name in ("fetch", "score")] == [None] * 2
    said = arranging(found["retrieve"]) or ""
    assert said.startswith("at most 100 candidates where product.in\\_stock and ")
    assert "; `liked` (`popular`) 30 new to the user where product.brand in likes" in said
