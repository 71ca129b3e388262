"""Held-out events are proved to be unknown: an honest way to make examples holds, and each planted defect is found."""

from functools import partial
from typing import TYPE_CHECKING

import polars as pl
import pytest

from mlsd_framework.runtime.features.dataset import beside
from mlsd_framework.runtime.features.out_of_core import window_features_from
from mlsd_framework.runtime.retrieval.item_item import ItemItem
from mlsd_framework.runtime.retrieval.popularity import Popularity
from mlsd_framework.runtime.retrieval.retrieval import Ask, Retrieval
from mlsd_framework.runtime.training.candidate_examples import Sampling, asked, examples_of, interactions
from mlsd_framework.runtime.training.parts import Fold, HoldOut
from mlsd_framework.runtime.verify.held_out_leakage import held_out_leakage
from mlsd_framework.runtime.verify.leakage import Leakage
from mlsd_framework.runtime.verify.proof import Proof
from mlsd_framework.runtime.verify.report import page
from mlsd_framework.runtime.verify.subject import Candidates, Log, Subject
from tests.runtime.verify.taught import Taught
from tests.runtime.verify.test_candidate_leakage import CATALOGUE, COLUMNS, PURCHASES, group, leaking, purchases

if TYPE_CHECKING:
    from mlsd_framework.runtime.retrieval.source import Source

RETRIEVE = Retrieval({"popular": Ask(8), "together": Ask(8)}, n=16)
PARTS = HoldOut(0.25, "user", 4, 7)


def make(
    events: pl.LazyFrame,
    part: Fold,
    *,
    fitted_on_all: bool = False,
    features_of_all: bool = False,
    histories_of_all: bool = False,
    labels_of_test: bool = False,
    taught: bool = False,
    windows_of_all: bool = False,
) -> pl.DataFrame:
    """Return the examples of a part; with `taught` a source reads windows too, the rest are defects to plant."""
    log = interactions(events, CATALOGUE, **COLUMNS)
    known = part.known_events(events)
    told = Fold(part.at, part.name, part.hidden, part.hidden) if labels_of_test else part
    one = asked(events, log, told, user="user_id")
    taste = window_features_from(events if histories_of_all else known, one.rows, group(None), time="at")
    rows = beside(one.rows, "taste", taste)
    history = CATALOGUE.histories(rows["taste.items_lifetime"], rows["taste.times_lifetime"], rows["at"])
    past = log if fitted_on_all else part.known(log)
    fitted: dict[str, Source] = {"popular": Popularity.fit(past), "together": ItemItem.fit(past)}
    retrieve = RETRIEVE
    if taught:
        retrieve = Retrieval({**RETRIEVE.asks, "taught": Ask(8)}, n=24)
        fitted["taught"] = Taught.fit(past, events if windows_of_all else known)
    merged = retrieve.candidates(fitted, history)
    examples = examples_of(one, merged, CATALOGUE, item="item_id", label="bought", first=0, sampling=Sampling())
    seen = window_features_from(events if features_of_all else known, one.rows, group(None), time="at")
    spend = one.rows.select("user_id").with_columns(seen["spend_lifetime"].alias("spend"))
    return examples.join(spend, on="user_id", how="left", maintain_order="left")


def prove(**defect: bool) -> Leakage:
    """Return what comes of the proof."""
    candidates = Candidates(
        make=partial(make, **defect),
        reads=("purchases",),
        source="purchases",
        user="user_id",
        item="item_id",
        label="bought",
        parts=PARTS,
        fitted=("popular", "together"),
    )
    subject = Subject(system="shop", definitions="", features="", logs=(Log(PURCHASES, purchases()),))
    return held_out_leakage(subject, candidates, PARTS)


def test_what_is_held_out_is_unknown() -> None:
    """Everything that is held out is changed, and nothing else changes; the report says what was tried."""
    found = prove()
    assert found.holds
    assert found.rows > 0
    assert [one.kind for one in found.plants] == [
        "what is held out of a fold of training, changed",
        "what is held out of the test, changed",
    ]
    assert all(one.rows > 300 for one in found.plants)
    proof = Proof("shop", "now", 0.0, 0, {}, leakage=found)
    assert proof.holds
    assert "made again after this had changed: what is held out of a fold of training" in page(proof)


@pytest.mark.parametrize(
    ("defect", "columns"),
    [
        ("fitted_on_all", {"candidates.popular_score", "candidates.together_score"}),
        ("histories_of_all", {"candidates.together_score"}),
        ("features_of_all", {"spend"}),
    ],
)
def test_what_knows_held_out_events_is_found(defect: str, columns: set[str]) -> None:
    """Sources, histories or features that are computed from the whole log change with what is held out."""
    found = prove(**{defect: True})
    assert columns <= leaking(found)
    faults = Proof("shop", "now", 0.0, 0, {}, leakage=found).faults()
    assert [one.code for one in faults] == ["E6702"]
    assert "after changes of what is held out of" in faults[0].notes[0]


def test_what_towers_read_of_windows_is_known() -> None:
    """Windows over the known events do not change with what is held out; windows over all events do."""
    assert prove(taught=True).holds
    assert "candidates.taught_score" in leaking(prove(taught=True, windows_of_all=True))


def test_a_label_that_is_an_answer_of_the_test_is_found() -> None:
    """A fold whose outcomes are the test's too changes with these; the test's own may."""
    found = prove(labels_of_test=True)
    assert "bought" in leaking(found)
    assert {(one.moment, one.cut) for one in found.leaks} == {("a fold of training", "what is held out of the test")}
