"""Generated lines at work: each stage over candidates gives one request what it gives it among many."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.runtime.reranking.mmr import units_of
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import DAY, Histories
from mlsd_framework.runtime.serving.call import Call
from mlsd_framework.spec.document import read_document
from mlsd_framework.targets import artefacts
from tests.targets.stage_lines import Lines, evaluation_lines, service_lines

CASE = Path(__file__).parent / "cases" / "recommendation.yaml"
ITEMS, NOW = 60, 1_800_000_000_000_000
STAGES = ("filter", "boost", "lower", "freshen", "diversify", "spread", "expose", "shelves", "cap", "cap_brands")
BRANDS = np.array(["Own", "Acme", "Brio", None], object)
THOMPSON = {
    "how": "thompson", "slots": [2, 5], "top": 8, "where": "attention.views_28d < 100 and user_id > 0", "pool": 6,
    "successes": "attention.clicks_28d", "trials": "attention.views_28d", "prior": [1, 20],
}  # fmt: skip
PINNED = {"where": "item_id in (3, 7) or user_id = 2 or at < timestamp '2020-01-01'", "times": 3.0}
LIKED = {"where": "product.brand in brands and not (product.shelf in shelves)", "times": 2.0, "as": "liked"}


@cache
def generated() -> dict[str, tuple[Lines, Lines]]:
    """Return the lines of the service and of the evaluation: of the case, and with other stages in its place."""
    data: dict[str, Any] = read_document(CASE).data
    other = deepcopy(data)
    pipeline = [one for one in other["serving"]["/recommend"]["pipeline"] if "explore" not in one]
    place = [next(iter(one)) for one in pipeline].index("boost")
    pipeline[place : place + 1] = [{"boost": PINNED}, {"boost": LIKED}]
    pipeline[-1:-1] = [{"explore": THOMPSON}]
    asked = other["serving"]["/recommend"]["request"]
    asked["brands"] = {"type": "list<category>", "default": ["Own", "Brio"]}
    asked["shelves"] = {"type": "list<int64>", "default": [2]}
    other["serving"]["/recommend"]["pipeline"] = pipeline
    found = {}
    for name, spec in (("case", data), ("other", other)):
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.yaml"
            path.write_text(yaml.safe_dump(spec, sort_keys=False))
            compiled = compile_spec(path)
        files = {one.path: one.text for one in artefacts(compiled.system, compiled.registry)}
        found[name] = (
            service_lines(files["service/service.py"], "Recommend"),
            evaluation_lines(files["training/evaluate.py"]),
        )
    return found


class Batch:
    """Candidates of some requests as the evaluation has them, and what else its lines may use."""

    def __init__(self, lengths: list[int], seed: int, *, nulls: float = 0.2) -> None:
        random = np.random.default_rng(seed)
        rows, count = sum(lengths), len(lengths)
        self.users = random.integers(1, 9, count)
        self.at = NOW + random.integers(0, 90, count) * DAY
        items = [random.permutation(ITEMS)[:length].astype(np.int32) for length in lengths]
        self.spent: list[float | None] = [(20.0, 200.0, None)[one] for one in random.integers(0, 3, count)]
        views = random.choice([0.0, 3.0, 40.0, 900.0], rows)
        columns: dict[str, Any] = {
            "product.brand": BRANDS[random.integers(0, 4, rows)],
            "product.shelf": random.choice([1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 4.0], rows),
            "product.launched": (NOW - random.integers(-60, 200, rows) * DAY).astype(np.float64),
            "product.in_stock": random.choice([0.0, 1.0, 1.0], rows),
            "attention.views_28d": views,
            "attention.clicks_28d": np.floor(views * random.random(rows) / 4),
            "activity.spent_28d": np.repeat(np.array(self.spent, np.float64), lengths),
            "ranker": random.integers(-16, 9, rows) / 4,
        }
        for name in ("product.shelf", "product.launched", "product.in_stock", "ranker"):
            columns[name] = np.where(random.random(rows) < nulls, np.nan, columns[name])
        offsets = offsets_of(np.array(lengths))
        self.candidates = Candidates(offsets, np.concatenate([np.empty(0, np.int32), *items]), columns).ordered(
            "ranker"
        )
        met = np.sort(random.integers(0, 3 * DAY, (count, 4)), axis=1)
        times = (self.at[:, None] - 3 * DAY + met).ravel()
        seen = random.integers(0, ITEMS, 4 * count).astype(np.int32)
        self.history = Histories(offsets_of(np.full(count, 4)), seen, times, self.at)
        self.units = units_of(random.normal(size=(ITEMS, 4)) * (random.random((ITEMS, 1)) < 0.8))
        self.catalogue = Catalogue(tuple(range(ITEMS)))

    def ids(self) -> list[str]:
        """Return the ids of the requests."""
        return [f"{user}@{at}" for user, at in zip(self.users, self.at, strict=True)]

    def evaluated(self, found: Lines, stage: str, candidates: Candidates) -> Candidates:
        """Return what the evaluation's lines make of all requests."""
        known = {
            "asked": SimpleNamespace(requests=pl.DataFrame({"user_id": self.users})),
            "history": self.history,
            "request_ids": self.ids(),
            "catalogue": self.catalogue,
            "factors_units": self.units,
        }
        return found.run(stage, candidates, known)

    def served(self, found: Lines, stage: str, candidates: Candidates, request: int) -> Candidates:
        """Return what the service's lines make of one request."""
        known = {
            "self": SimpleNamespace(factors_units=self.units, catalogue=self.catalogue),
            "call": Call(self.ids()[request], 0.0, float("inf")),
            "request": SimpleNamespace(
                user_id=int(self.users[request]), budget=100.0, k=10, brands=("Own", "Brio"), shelves=(2,)
            ),
            "at": int(self.at[request]),
            "history": self.history.request(request),
            "activity": SimpleNamespace(spent_28d=self.spent[request]),
        }
        return found.run(stage, candidates, known)


def alone(candidates: Candidates, request: int) -> Candidates:
    """Return one request by itself."""
    rows = slice(candidates.offsets[request], candidates.offsets[request + 1])
    columns = {name: column[rows] for name, column in candidates.columns.items()}
    return Candidates(np.array([0, rows.stop - rows.start]), candidates.items[rows], columns)


def same(one: Candidates, other: Candidates) -> None:
    """Check that two requests have the same rows."""
    np.testing.assert_array_equal(one.items, other.items)
    assert one.columns.keys() == other.columns.keys()
    for name, column in one.columns.items():
        np.testing.assert_array_equal(column, other.columns[name], err_msg=name)


LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=4)
SEEDS = st.integers(0, 2**32 - 1)
RUN = [
    *(("case", one) for one in (*STAGES, "explore", "take")),
    ("other", "boost"),
    ("other", "liked"),
    ("other", "explore"),
]


@pytest.mark.parametrize("stage", RUN, ids=[" ".join(one) for one in RUN])
@settings(deadline=None, max_examples=25)
@given(LENGTHS, SEEDS)
def test_many_requests_are_as_one_by_one(stage: tuple[str, str], lengths: list[int], seed: int) -> None:
    """The evaluation's lines give each request the rows, scores and propensities that the service's lines give it."""
    service, evaluation = generated()[stage[0]]
    batch = Batch(lengths, seed)
    found = batch.evaluated(evaluation, stage[1], batch.candidates)
    assert found.requests == len(lengths)
    for request in range(len(lengths)):
        given_ = alone(batch.candidates, request)
        same(batch.served(service, stage[1], given_, request), alone(found, request))


@settings(deadline=None, max_examples=15)
@given(LENGTHS, SEEDS)
def test_whole_pipelines_are_as_one_by_one(lengths: list[int], seed: int) -> None:
    """From the filter to what is shown, without the model between them."""
    service, evaluation = generated()["case"]
    batch = Batch(lengths, seed)
    stages = [one for one in evaluation.stages if one != "score"]
    assert stages == [*STAGES, "explore", "take"]
    found = batch.candidates
    for stage in stages:
        found = batch.evaluated(evaluation, stage, found)
    for request in range(len(lengths)):
        one = alone(batch.candidates, request)
        for stage in stages:
            one = batch.served(service, stage, one, request)
        same(one, alone(found, request))


def pairs(candidates: Candidates) -> list[tuple[int, int]]:
    """Return the request and the item of each row."""
    return list(zip(candidates.request_of.tolist(), candidates.items.tolist(), strict=True))


def changed(stage: str, case: str = "case") -> tuple[Candidates, Candidates]:
    """Return candidates of some requests, and what a stage makes of them."""
    batch = Batch([40] * 6, 5)
    return batch.candidates, batch.evaluated(generated()[case][1], stage, batch.candidates)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_does_something(stage: str) -> None:
    """No stage leaves six lists of forty candidates as they are."""
    before, after = changed(stage)
    assert after.items.tolist() != before.items.tolist()


def test_a_boost_multiplies_odds() -> None:
    """Scores of the condition's rows are raised by the logarithm, and by nothing else, whatever their sign."""
    before, after = changed("boost", "other")
    users = Batch([40] * 6, 5).users
    former, score = (
        {pair: one.columns["ranker"][row] for row, pair in enumerate(pairs(one))} for one in (before, after)
    )
    raised = {pair for pair in former if pair[1] in (3, 7) or users[pair[0]] == 2}
    assert 0 < len(raised) < len(former)
    for pair in former:
        expected = former[pair] + np.log(3.0) * (pair in raised)
        assert score[pair] == pytest.approx(expected, nan_ok=True)


def test_a_cap_counts_no_nulls() -> None:
    """Five of a brand among the first twenty at most, as many of none as there are; what is over is gone."""
    before, after = changed("cap_brands")
    first = after.columns["product.brand"][:20].tolist()
    assert max(first.count(brand) for brand in ("Own", "Acme", "Brio")) == 5
    assert len(after.items) < len(before.items)
    nulls = [
        item
        for item, brand in zip(before.items.tolist(), before.columns["product.brand"], strict=True)
        if brand is None
    ]
    assert set(nulls) <= set(after.items.tolist())


@pytest.mark.parametrize("case", ["case", "other"])
def test_what_is_explored_is_what_may_be(case: str) -> None:
    """Slots alone show candidates from behind, those that the condition lets, and every chance is logged."""
    batch = Batch([40] * 60, 1)
    found = batch.evaluated(generated()[case][1], "explore", batch.candidates)
    explored = np.flatnonzero(found.columns["explored"])
    assert len(explored) > 5
    assert set(found.place_of[explored].tolist()) == ({4, 9} if case == "case" else {1, 4})
    if case == "case":
        ages = batch.at[found.request_of[explored]] - found.columns["product.launched"][explored]
        assert (ages < 30 * DAY).all()
    else:
        assert (found.columns["attention.views_28d"][explored] < 100).all()
    top = 20 if case == "case" else 8
    shown = found.place_of < top
    assert ((found.columns["propensity"][shown] > 0) & (found.columns["propensity"][shown] <= 1)).all()
    assert np.isnan(found.columns["propensity"][~shown]).all()


def test_a_stage_that_fails_leaves_the_candidates_as_they_were() -> None:
    """Each stage sets them once, at its end, so that `skip` and `default` go on with the order before it."""
    service, evaluation = generated()["case"]
    batch = Batch([9], 0)
    bare = Candidates(batch.candidates.offsets, batch.candidates.items)
    for stage in (*STAGES, "explore"):
        known = {**service.module, "candidates": bare, "call": Call("one", 0.0, float("inf")), "at": 1}
        with pytest.raises((KeyError, NameError)):
            exec(service.stages[stage], known)  # noqa: S102 - code that the test has generated
        assert known["candidates"] is bare
    assert set(evaluation.stages) == set(service.stages) - {"fetch", "retrieve", "fetch_items"}
