"""What a two-tower model learns from: events with what their users had before, and the columns beside them."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.features.offline import window_features
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import Interactions
from mlsd_framework.runtime.retrieval.tables import table
from mlsd_framework.runtime.retrieval.tower_examples import (
    catalogue_frame,
    examples,
    last_before,
    some_histories,
)
from tests.runtime.retrieval.drawn import DAY, ITEMS, USERS, logs


def before(log: Interactions, row: int) -> list[int]:
    """Return what the user of an event had before its moment, oldest first, by going through the log."""
    return [
        int(item)
        for user, item, time in zip(log.users, log.items, log.times, strict=True)
        if user == log.users[row] and time < log.times[row]
    ]


@given(logs(), st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_the_last_items_before_a_moment_are_those_of_the_log(log: Interactions, length: int) -> None:
    """Newest first, filled with -1; events of the same moment do not see each other."""
    found = last_before(log, length)
    assert found.shape == (len(log.items), length)
    for row in range(len(log.items)):
        expected = before(log, row)[::-1][:length]
        assert found[row].tolist() == expected + [-1] * (length - len(expected))


@given(logs(), st.integers(1, 4), st.one_of(st.none(), st.integers(1, 20)), st.sampled_from([0.0, 0.2, 0.5]))
@settings(max_examples=100, deadline=None)
def test_examples_are_the_newest_events_with_a_past(
    log: Interactions, history: int, newest: int | None, validated: float
) -> None:
    """A row holds its user's columns, the history oldest first with nulls behind none, and its item."""
    rows = [row for row in range(len(log.items)) if before(log, row)]
    users = pl.DataFrame({"name": [f"u{code}" for code in range(USERS)]})
    if not rows:
        with pytest.raises(ValueError, match="two moments"):
            examples(log, users, history=history)
        return
    rows = rows[-newest:] if newest else rows
    found = examples(log, users, history=history, newest=newest, validated=validated)
    assert found.items.tolist() == log.items[rows].tolist()
    assert found.users["name"].to_list() == [f"u{code}" for code in log.users[rows]]
    for row, held in zip(rows, found.users["history"].to_list(), strict=True):
        assert [item for item in held if item is not None] == before(log, row)[-history:]
    assert found.learned == len(rows) - max(round(validated * len(rows)), 1)
    alone = examples(log, pl.DataFrame(), history=history, newest=newest)
    assert alone.users.equals(found.users.select("history"))


ACTIVITY = WindowGroup(
    name="activity",
    entity=("user_id",),
    source="events",
    event_time="at",
    windows=(timedelta(days=7), None),
    aggregates=(Aggregate("events", "count"), Aggregate("spend", "sum", "spent")),
)


@given(logs(least=1), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_windows_of_examples_end_before_their_own_event(log: Interactions, seed: int) -> None:
    """Each is what its user had in the window before, by going through the log; who asks is asked as of the end."""
    spent = np.random.default_rng(seed).integers(1, 9, len(log.items))
    keyed = replace(log, user_keys=tuple(f"u{code}" for code in range(USERS)))
    at = pl.Series(log.times).cast(pl.Datetime("us", "UTC"))
    events = pl.LazyFrame({"user_id": [keyed.user_keys[one] for one in log.users], "at": at, "spent": spent})

    def seen(user: int, moment: int, window: int | None) -> list[int]:
        first = -1 if window is None else moment - window
        rows = (log.users == user) & (log.times < moment) & (log.times >= first)
        return [int(rows.sum()), int(spent[rows].sum())]

    def expected(user: int, moment: int) -> tuple[int | None, ...]:
        (few, little), (many, much) = seen(user, moment, 7 * DAY), seen(user, moment, None)
        return few, many, little if few else None, much if many else None

    asked = some_histories(log, USERS, seed=0)
    found = window_features(events.collect(), asked.moments(keyed, events, "user_id"), ACTIVITY, time="at")
    assert found.rows() == [expected(user, int(log.times[-1]) + 1) for user in asked.users.tolist()]
    rows = [row for row in range(len(log.items)) if before(log, row)]
    if rows:
        taken = examples(keyed, pl.DataFrame(), history=2)
        features = window_features(events.collect(), taken.moments(keyed, events, "user_id"), ACTIVITY, time="at")
        assert features.rows() == [expected(int(log.users[row]), int(log.times[row])) for row in rows]
        assert taken.beside(features).users.columns == ["history", *features.columns]


@given(logs(least=1), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_some_users_are_asked_at_the_end_of_the_log(log: Interactions, number: int) -> None:
    """Distinct users with events, the same for the same seed, with all that they did."""
    found = some_histories(log, number, seed=1)
    everyone = set(log.users.tolist())
    assert set(found.users.tolist()) <= everyone
    assert len(set(found.users.tolist())) == len(found.users) == min(number, len(everyone))
    for request, user in enumerate(found.users):
        assert found.histories.request(request).items.tolist() == log.items[log.users == user].tolist()
    assert some_histories(log, number, seed=1).users.tolist() == found.users.tolist()


def test_a_table_has_a_row_a_key_in_their_order() -> None:
    """Keys that are not there have nulls, of several rows of one key the last counts, a null key is nobody's."""
    rows = pl.LazyFrame({"id": ["a", "b", None, "a"], "age": [1, 2, 3, 4], "other": [0, 0, 0, 0]})
    found = table(rows, "id", ("b", "c", "a"), ["age"], "people")
    assert found.to_dict(as_series=False) == {"people.age": [2, None, 4]}
    narrow = pl.LazyFrame({"id": pl.Series([7, 9], dtype=pl.Int32), "age": [1, 2]})
    assert table(narrow, "id", (9, 7, 8), ["age"], "people")["people.age"].to_list() == [2, 1, None]


def test_a_key_that_does_not_fit_the_tables_column_is_not_there() -> None:
    """A key beyond the type of the table's own is one that the table does not have."""
    narrow = pl.LazyFrame({"id": pl.Series([7], dtype=pl.Int8), "age": [1]})
    assert table(narrow, "id", (7, 300), ["age"], "people")["people.age"].to_list() == [1, None]


def test_items_stand_at_their_places() -> None:
    """The catalogue's frame has the place of each item and the columns of its tables."""
    catalogue = Catalogue(("a", "b"))
    beside = table(pl.LazyFrame({"id": ["b"], "colour": ["red"]}), "id", catalogue.keys, ["colour"], "item")
    found = catalogue_frame(catalogue, beside)
    assert found.to_dict(as_series=False) == {"item": [0, 1], "item.colour": [None, "red"]}


def test_a_moment_shared_by_all_has_no_past() -> None:
    """A log of one moment teaches nothing."""
    log = Interactions(np.zeros(3, np.int32), np.arange(3, dtype=np.int32), np.full(3, DAY), 1, ITEMS)
    with pytest.raises(ValueError, match="two moments"):
        examples(log, pl.DataFrame(), history=2)
