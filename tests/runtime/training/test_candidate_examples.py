"""Examples of a ranker: the log, who asks, what came of it, and nothing of what came after."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.ranking_metrics.relevance import Relevant
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import DAY, histories_of
from mlsd_framework.runtime.retrieval.item_item import ItemItem
from mlsd_framework.runtime.retrieval.popularity import Popularity
from mlsd_framework.runtime.retrieval.recent import Recent
from mlsd_framework.runtime.retrieval.retrieval import Ask, Retrieval
from mlsd_framework.runtime.training.candidate_examples import (
    AT,
    PART,
    REQUEST,
    Asked,
    Sampling,
    asked,
    examples_of,
    interactions,
    outcomes,
)
from mlsd_framework.runtime.training.parts import Moment, PartName

CATALOGUE = Catalogue((1, 2, 3, 5, 8))
NAMES = {"user": "who", "item": "what", "time": "when"}
RETRIEVAL = Retrieval({"last": Ask(3), "near": Ask(3, new=True), "popular": Ask(3)}, n=5)

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "cy", None]), st.sampled_from([1, 2, 3, 4, 5, 8, None]), st.integers(0, 59)
    ),
    min_size=1,
    max_size=40,
)
Event = tuple[str | None, int | None, int]


def frame(events: list[Event]) -> pl.LazyFrame:
    """Return events (user, item, half day) as a source has them."""
    return pl.LazyFrame(
        {
            "who": [user for user, _, _ in events],
            "what": [item for _, item, _ in events],
            "when": [half * DAY // 2 for _, _, half in events],
        },
        schema={"who": pl.String, "what": pl.Int64, "when": pl.Int64},
    ).with_columns(pl.col("when").cast(pl.Datetime("us", "UTC")))


@given(EVENTS)
@settings(max_examples=60, deadline=None)
def test_the_log_has_the_events_with_known_items(events: list[Event]) -> None:
    """In the order of time and, at one moment, of the source; users are codes in the order of their keys."""
    found = interactions(frame(events), CATALOGUE, **NAMES)
    whole = sorted([one for one in events if None not in one], key=lambda one: one[2])
    kept = [one for one in whole if one[1] != 4]
    assert list(found.user_keys) == sorted({str(user) for user, _, _ in whole})
    assert [found.user_keys[code] for code in found.users] == [user for user, _, _ in kept]
    assert CATALOGUE.keys_of(found.items) == [item for _, item, _ in kept]
    assert found.times.tolist() == [half * DAY // 2 for _, _, half in kept]
    assert (found.user_count, found.item_count) == (len(found.user_keys), 5)


@given(EVENTS, st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_who_has_events_within_the_horizon_asks(events: list[Event], at: int) -> None:
    """A request a user, by key, with the distinct known items of `[moment, moment + horizon)`."""
    moment = Moment(at * DAY // 2, "train", 7 * DAY)
    source = frame(events)
    found = asked(source, interactions(source, CATALOGUE, **NAMES), moment, user="who")
    came = {(user, item) for user, item, half in events if user and item and item != 4 and at <= half < at + 14}
    users = sorted({user for user, _ in came})
    assert found.rows["who"].to_list() == users
    assert found.rows[AT].dt.timestamp("us").to_list() == [moment.at] * len(users)
    for request, user in enumerate(users):
        own = found.relevant.items[found.relevant.offsets[request] : found.relevant.offsets[request + 1]]
        assert sorted(CATALOGUE.keys_of(own)) == sorted(item for one, item in came if one == user)


def pairs(lists: list[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return sets of items by request as offsets and items, in no particular order."""
    items = [item for one in lists for item in sorted(one, key=lambda item: -item)]
    return offsets_of(np.array([len(one) for one in lists])), np.array(items, np.int32)


ITEM_SETS = st.lists(st.sets(st.integers(0, 4)), min_size=3, max_size=3)


@given(ITEM_SETS, ITEM_SETS)
@settings(deadline=None)
def test_an_outcome_is_a_relevant_item_of_the_same_request(found: list[set[int]], relevant: list[set[int]]) -> None:
    """Another request's relevant items say nothing."""
    candidates = Candidates(*pairs(found))
    expected = [
        int(item) in relevant[request] for request, item in zip(candidates.request_of, candidates.items, strict=True)
    ]
    assert outcomes(candidates, Relevant(*pairs(relevant))).tolist() == expected


def made(found: list[set[int]], relevant: list[set[int]], part: PartName) -> tuple[Asked, Candidates]:
    """Return three requests and their candidates with a score that names the row."""
    candidates = Candidates(*pairs(found))
    scored = candidates.with_columns(score=np.arange(len(candidates.items)) * 1.0)
    rows = pl.DataFrame({"who": ["ann", "bob", "cy"], AT: [7, 7, 7]})
    return Asked(rows, Relevant(*pairs(relevant)), Moment(7, part, 1)), scored


def of(one: Asked, found: Candidates, sampling: Sampling) -> pl.DataFrame:
    """Return their examples, numbered from 10 on."""
    return examples_of(one, found, CATALOGUE, item="what", label="took", first=10, sampling=sampling)


@given(ITEM_SETS, ITEM_SETS, st.sampled_from(["train", "validate", "test"]), st.one_of(st.none(), st.integers(1, 4)))
@settings(max_examples=150, deadline=None)
def test_examples_are_candidates_with_their_outcome(
    found: list[set[int]], relevant: list[set[int]], part: PartName, negatives: int | None
) -> None:
    """Parts that measure have every candidate, training those of requests that teach, with all of their positives."""
    one, candidates = made(found, relevant, part)
    data = of(one, candidates, Sampling(negatives))
    places = data["score"].cast(pl.Int64).to_numpy()
    assert data[REQUEST].to_list() == (candidates.request_of[places] + 10).tolist()
    assert data["what"].to_list() == CATALOGUE.keys_of(candidates.items[places])
    assert data["who"].to_list() == [["ann", "bob", "cy"][request] for request in candidates.request_of[places]]
    assert data["took"].to_list() == outcomes(candidates, one.relevant)[places].tolist()
    assert set(data[PART].to_list()) <= {part}
    assert places.tolist() == sorted(places.tolist())
    for request, (own, right) in enumerate(zip(found, relevant, strict=True)):
        rows = data.filter(pl.col(REQUEST) == request + 10)
        hits, misses = len(own & right), len(own - right)
        if part != "train":
            assert rows.height == len(own)
        elif not hits or not misses:
            assert rows.height == 0
        else:
            assert int(rows["took"].sum()) == hits
            assert rows.height - hits == (misses if negatives is None else min(negatives, misses))


def test_a_sample_is_its_seeds() -> None:
    """The same seed keeps the same candidates; over seeds each is kept about as often."""
    one, candidates = made([{0, 1, 2, 3, 4}] * 3, [{2}] * 3, "train")
    first = of(one, candidates, Sampling(1, seed=4))
    assert first.equals(of(one, candidates, Sampling(1, seed=4)))
    kept = pl.concat([of(one, candidates, Sampling(1, seed=seed)).filter(~pl.col("took")) for seed in range(100)])
    counts = kept.group_by("what").len()
    assert set(counts["what"]) == {1, 2, 5, 8}
    assert counts["len"].min() > 40  # type: ignore[operator] # of 300 draws among four


def learned(events: list[Event], at: int) -> pl.DataFrame:
    """Return the examples of one moment as a generated script makes them; outcomes are not among them."""
    source = frame(events)
    log = interactions(source, CATALOGUE, **NAMES)
    known = log.until(at)
    users = np.array([place for place, _ in enumerate(log.user_keys)], np.int64)
    rows = pl.DataFrame({"who": list(log.user_keys)}, schema={"who": pl.String}).with_columns(pl.lit(at).alias(AT))
    histories = histories_of(known, users, np.full(len(users), at))
    sources = {
        "last": Recent.fit(),
        "near": ItemItem.fit(known),
        "popular": Popularity.fit(known, at=at, window=30 * DAY),
    }
    nothing = Relevant(np.zeros(len(users) + 1, np.int64), np.empty(0, np.int32))
    found = RETRIEVAL.candidates(sources, histories)
    return of(Asked(rows, nothing, Moment(at, "test", 1)), found, Sampling())


@given(EVENTS, EVENTS)
@settings(max_examples=40, deadline=None)
def test_nothing_after_the_moment_changes_an_example(before: list[Event], after: list[Event]) -> None:
    """Events that are written later, of whatever users and items, leave candidates and columns as they were."""
    at = 30 * DAY
    planted = [
        (user, item, half + 60) for user, item, half in after if user is None or user in {u for u, _, _ in before}
    ]
    first, second = learned(before, at), learned([*before, *planted], at)
    keys = {str(user) for user, item, _ in before if user and item}
    assert first.drop(REQUEST).equals(second.filter(pl.col("who").is_in(list(keys))).drop(REQUEST))
    assert first.height or not any(CATALOGUE.code(item) >= 0 and user for user, item, _ in before)
