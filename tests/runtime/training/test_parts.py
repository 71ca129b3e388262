"""Parts of a log: moments of the past, and events held out by chance, of which nothing reaches what is known."""

from datetime import timedelta
from typing import Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.out_of_core import window_features_from
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.ease import Ease
from mlsd_framework.runtime.retrieval.interactions import DAY, Interactions
from mlsd_framework.runtime.training.candidate_examples import asked, interactions
from mlsd_framework.runtime.training.parts import HoldOut, Moments

WEEK = timedelta(days=7)
CATALOGUE = Catalogue(tuple(range(8)))
TASTE = WindowGroup(
    name="taste",
    entity=("who",),
    source="events",
    event_time="when",
    windows=(None,),
    aggregates=(Aggregate("items", "last_n", "what", n=50), Aggregate("spend", "sum", "spent")),
    key=("number",),
)
EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7), st.integers(0, 20)), min_size=8, max_size=60)
Event = tuple[int, int, int]
By = Literal["user", "item"]


def log_of(times: list[int]) -> Interactions:
    """Return a log with events of one user at some days."""
    count = len(times)
    days = np.array(times, np.int64) * DAY
    return Interactions(np.zeros(count, np.int32), np.zeros(count, np.int32), days, 1, 1)


def test_the_last_moments_are_for_validation_and_test() -> None:
    """They are `every` so far apart, and the outcomes of the last end with the log."""
    found = list(Moments(4, within=WEEK, every=2 * WEEK).of(log_of([0, 100])))
    assert [one.name for one in found] == ["train", "train", "validate", "test"]
    end = 100 * DAY + 1
    assert [one.at for one in found] == [end - 7 * DAY - back * 14 * DAY for back in (3, 2, 1, 0)]


@pytest.mark.parametrize(("days", "enough"), [([], False), ([0], False), ([0, 20], False), ([0, 21], True)])
def test_a_log_that_begins_too_late_is_refused(days: list[int], enough: bool) -> None:
    """The first moment has to lie behind the first event; E6245 says how long the log is."""
    moments = Moments(3, within=WEEK, every=WEEK)
    if enough:
        assert next(moments.of(log_of(days))).at == 1
    else:
        with pytest.raises(RunError, match="E6245"):
            list(moments.of(log_of(days)))


def frame(events: list[Event]) -> pl.LazyFrame:
    """Return events (user, item, day) as a source has them: in order of time, numbered as its file has them."""
    rows = pl.DataFrame(events, schema={"who": pl.Int64, "what": pl.Int64, "day": pl.Int64}, orient="row")
    numbered = rows.with_row_index("number").with_columns(
        pl.col("number").cast(pl.Int64),
        when=(pl.col("day") * DAY).cast(pl.Datetime("us", "UTC")),
        spent=pl.col("number").cast(pl.Float64) + 0.5,
    )
    return numbered.sort("when", maintain_order=True).lazy()


def logged(events: pl.LazyFrame, row: str | None) -> Interactions:
    """Return the log of such events."""
    return interactions(events, CATALOGUE, user="who", item="what", time="when", row=row)


def published(events: list[Event], by: By, share: float, seed: int) -> set[int]:
    """Return the numbers of the events that `python_stratified_split` of the Recommenders project puts in its test."""
    draw = np.random.RandomState(seed).rand(len(events))
    strata: dict[int, list[tuple[float, int]]] = {}
    for number, (user, item, _) in enumerate(events):
        strata.setdefault(user if by == "user" else item, []).append((draw[number], number))
    held = set()
    for members in strata.values():
        kept = round((1 - share) * len(members))
        held |= {number for _, number in sorted(members)[kept:]}
    return held


@given(EVENTS, st.sampled_from(["user", "item"]), st.sampled_from([0.25, 0.5]), st.integers(0, 5))
@settings(max_examples=80, deadline=None)
def test_the_test_is_the_published_draw(events: list[Event], by: By, share: float, seed: int) -> None:
    """By the numbers of the file, whatever the order of time."""
    wanted = published(events, by, share, seed)
    parts = HoldOut(share, by, 2, seed, "number")
    log = logged(frame(events), "number")
    if not wanted or len(events) - len(wanted) < parts.folds:
        with pytest.raises(RunError, match="E6245"):
            parts.test(log)
    else:
        assert set(parts.test(log).held.tolist()) == wanted


@given(EVENTS, st.sampled_from(["user", "item"]), st.integers(2, 4), st.sampled_from(["number", None]))
@settings(max_examples=80, deadline=None)
def test_no_held_out_event_is_known(events: list[Event], by: By, folds: int, row: str | None) -> None:
    """Each event but the test's is held out of one fold; a part knows neither its own nor the test's.

    What is fitted, histories and features are those of a log in which the hidden events have never been.
    """
    source = frame(events)
    log = logged(source, row)
    try:
        parts = list(HoldOut(0.25, by, folds, 3, row).of(log))
    except RunError:
        return
    test, numbers = parts[-1], set((log.rows if log.rows is not None else np.empty(0)).tolist())
    assert [one.name for one in parts] == ["train"] * (folds - 1) + ["validate", "test"]
    assert sorted(number for one in parts for number in one.held.tolist()) == sorted(numbers)
    for one in parts:
        assert set(one.hidden.tolist()) == set(one.held.tolist()) | set(test.held.tolist())
        assert one.at > log.times.max()
        kept = [event for event in place(source, row) if event[3] not in one.hidden]
        alone = logged(frame([event[:3] for event in sorted(kept, key=lambda event: event[4])]), None)
        known = one.known(log)
        assert known.users.tolist() == alone.users.tolist()
        assert known.items.tolist() == alone.items.tolist()
        assert known.user_keys == alone.user_keys
        if len(alone.users):
            assert np.array_equal(Ease.fit(known).weights, Ease.fit(alone).weights)
        left = one.known_events(source).collect()
        assert left["number"].to_list() == [event[4] for event in kept]
        requests = asked(source, log, one, user="who")
        came = {(who, what) for who, what, _, number, _ in place(source, row) if number in one.held}
        assert requests.rows["who"].to_list() == sorted({who for who, _ in came})
        keys = requests.rows["who"].to_list()
        assert came == {
            (keys[request], CATALOGUE.keys[item])
            for request, item in zip(requests.relevant.request_of, requests.relevant.items, strict=True)
        }
        features = window_features_from(left.lazy(), requests.rows, TASTE, time="at")
        spent = {who: sum(event[4] + 0.5 for event in kept if event[0] == who) for who in keys}
        assert features["spend_lifetime"].fill_null(0.0).to_list() == pytest.approx([spent[who] for who in keys])


def place(source: pl.LazyFrame, row: str | None) -> list[tuple[int, int, int, int, int]]:
    """Return events in the order of time: user, item, day, the number that tells them apart, that of the file."""
    rows = source.collect()
    numbers = rows["number"].to_list() if row else list(range(rows.height))
    return [
        (who, what, day, number, own)
        for (who, what, day, own), number in zip(
            rows.select("who", "what", "day", "number").iter_rows(), numbers, strict=True
        )
    ]


def test_folds_are_even() -> None:
    """Each takes as many events as another, of everyone within one; whoever has few is in any of them."""
    draw = np.random.default_rng(0)
    events = [
        (int(user), int(item), 0) for user, item in zip(draw.integers(0, 5, 400), draw.integers(0, 8, 400), strict=True)
    ]
    log = logged(frame(events), None)
    *folds, test = HoldOut(0.25, "user", 5, 1).of(log)
    assert len(test.held) == pytest.approx(100, abs=3)
    users = {
        number: int(user) for number, user in zip(log.rows if log.rows is not None else [], log.users, strict=True)
    }
    for user in range(5):
        counts = [sum(users[number] == user for number in fold.held.tolist()) for fold in folds]
        assert max(counts) - min(counts) <= 1
    single = logged(frame([(user, 0, 0) for user in range(200)] * 2), None)
    sizes = [len(fold.held) for fold in list(HoldOut(0.5, "user", 4, 1).of(single))[:-1]]
    assert min(sizes) > 30
