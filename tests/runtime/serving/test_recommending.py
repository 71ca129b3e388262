"""From candidates to the answer: items, scores, sources, words, and the trace of how they came about."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import NO_HISTORY, Histories
from mlsd_framework.runtime.serving.call import Call, Stage
from mlsd_framework.runtime.serving.recommending import Retrieved, recommended

CATALOGUE = Catalogue(("a", "b", "c", "d"), ("apple", "bread", "cheese", "dates"))
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NAN = float("nan")


def candidates(*items: int, **columns: list[float]) -> Candidates:
    """Return the candidates of one request."""
    arrays = {name.replace("__", "."): np.array(column) for name, column in columns.items()}
    return Candidates(np.array([0, len(items)]), np.array(items, np.int32), arrays)


def history(*items: int) -> Histories:
    """Return one request's history, an event a minute, the last at noon."""
    end = round(NOON.timestamp() * 1e6)
    times = np.array([end - 60_000_000 * back for back in range(len(items))][::-1], np.int64)
    return Histories(np.array([0, len(items)]), np.array(items, np.int32), times, np.array([end + 1]))


RANKED = candidates(
    2,
    0,
    3,
    ranker=[1.5, NAN, -2.0],
    candidates__again_rank=[0.0, NAN, 2.0],
    candidates__again_score=[0.9, 0.1, 0.2],
    candidates__popular_rank=[4.0, 0.0, NAN],
    candidates__popular_score=[0.3, 0.4, NAN],
    trend__rank=[1.0, 1.0, 1.0],
)


def call(*, traced: bool = False) -> Call:
    """Return a request on its way."""
    return Call("r1", 0.0, float("inf"), traced=traced)


def test_items_come_in_the_order_of_the_candidates() -> None:
    """With their keys, words and scores; a source is named where the candidate has a rank of it, and only there."""
    found = recommended(RANKED, Retrieved(history(0), {}, CATALOGUE), call(), "v1", score="ranker")
    assert [(one.item, one.describe, one.score) for one in found.items] == [
        ("c", "cheese", 1.5),
        ("a", "apple", None),
        ("d", "dates", -2.0),
    ]
    assert [one.sources for one in found.items] == [["again", "popular"], ["popular"], ["again"]]
    assert [one.why for one in found.items] == [
        ["again: place 1", "popular: place 5"],
        ["popular: place 1"],
        ["again: place 3"],
    ]
    assert all(one.propensity is None for one in found.items)
    assert (found.request_id, found.version, found.cold_start, found.trace) == ("r1", "v1", False, None)
    assert msgspec.json.decode(msgspec.json.encode(found))["items"][1]["score"] is None


def test_without_a_score_items_have_none() -> None:
    """A pipeline that does not score answers in its order; a catalogue without words leaves them out."""
    plain = Catalogue((10, 20, 30, 40))
    found = recommended(RANKED, Retrieved(history(0), {}, plain), call(), "v1")
    assert [(one.item, one.score, one.describe) for one in found.items] == [
        (30, None, None),
        (10, None, None),
        (40, None, None),
    ]


def test_a_propensity_is_passed_on() -> None:
    """Where the pipeline explores, each item says how likely it was to stand there."""
    explored = RANKED.with_columns(propensity=np.array([0.5, 1.0, 0.25]))
    found = recommended(explored, Retrieved(history(0), {}, CATALOGUE), call(), "v1", score="ranker")
    assert [one.propensity for one in found.items] == [0.5, 1.0, 0.25]


def test_nothing_known_of_the_user_is_a_cold_start() -> None:
    """An empty history says so, an empty list is an answer, and stages that failed are named."""
    made = call()
    made.without(Stage("fetch", on_error="default"), RuntimeError("dead"))
    found = recommended(candidates(), Retrieved(NO_HISTORY, {}, CATALOGUE), made, "v1")
    assert (found.items, found.cold_start, found.degraded) == ([], True, ["fetch"])


@pytest.mark.parametrize("length", [2, 60])
def test_a_trace_shows_history_candidates_and_stages(length: int) -> None:
    """The newest 50 events first with their moments, the first 50 of each source with their scores, null for NaN."""
    made = call(traced=True)
    with made.stage(Stage("retrieve")):
        made.left(3)
    items = [number % 4 for number in range(length)]
    sources = {"again": candidates(1, 0, score=[0.5, NAN]), "none": candidates(score=[])}
    found = recommended(RANKED, Retrieved(history(*items), sources, CATALOGUE), made, "v1", score="ranker")
    trace = found.trace
    assert trace is not None
    shown = items[::-1][:50]
    assert [(one.item, one.describe) for one in trace.history] == [
        (CATALOGUE.keys[code], CATALOGUE.descriptions[code]) for code in shown
    ]
    assert trace.history[0].at == "2026-05-01T12:00:00+00:00"
    assert trace.history[1].at == "2026-05-01T11:59:00+00:00"
    assert [(one.item, one.score) for one in trace.candidates["again"]] == [("b", 0.5), ("a", None)]
    assert trace.candidates["none"] == []
    assert [(one.name, one.candidates) for one in trace.stages] == [("retrieve", 3)]


def test_the_items_are_those_of_the_moment_of_the_list() -> None:
    """Fewer candidates than were found are shown as they stand; what sources found is not shortened by it."""
    sources = {"again": candidates(0, 1, 2, 3, score=[4.0, 3.0, 2.0, 1.0])}
    found = recommended(RANKED.top(1), Retrieved(history(0), sources, CATALOGUE), call(traced=True), "v1")
    assert [one.item for one in found.items] == ["c"]
    assert found.trace is not None
    assert len(found.trace.candidates["again"]) == 4
