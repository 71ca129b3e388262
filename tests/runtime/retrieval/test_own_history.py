"""Recent and buy again: candidates out of the history itself."""

import itertools
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.retrieval.buy_again import BuyAgain
from mlsd_framework.runtime.retrieval.cadence import MEASURES, item_cadence, pairs_of
from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.interactions import Interactions
from mlsd_framework.runtime.retrieval.recent import Recent
from tests.runtime.retrieval.drawn import DAY, ITEMS, asked, check_batch, check_file, history, logs, rows_of

WEEK = 7 * DAY


@given(st.lists(st.tuples(st.integers(0, ITEMS - 1), st.integers(0, 39)), max_size=20), st.integers(0, ITEMS))
@settings(max_examples=60, deadline=None)
def test_the_last_items_come_first(rows: list[tuple[int, int]], n: int) -> None:
    """Each item stands once, by its last event; of the same moment the lower code first."""
    rows.sort(key=lambda one: one[1])
    last = dict(rows)
    expected = sorted(last, key=lambda item: (-last[item], item))[:n]
    found = rows_of(Recent.fit().retrieve(history(*rows), n))
    assert [item for item, _ in found] == expected
    assert [score for _, score in found] == pytest.approx([1 / (41 - last[item]) for item in expected])


@given(logs(), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_many_requests_get_what_each_gets_alone(log: Interactions, n: int) -> None:
    """Batch equals one by one, and a history alone is enough."""
    check_batch(Recent.fit(), asked(log), n)
    check_batch(BuyAgain.fit(log, horizon=WEEK), asked(log), n)


@given(logs(), st.lists(st.tuples(st.integers(0, ITEMS), st.integers(0, 39)), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_the_cadence_is_measured_as_by_hand(log: Interactions, rows: list[tuple[int, int]]) -> None:
    """Counts, intervals and rates are those of plain sums, for items without a cadence too."""
    rows.sort(key=lambda one: one[1])
    apart = 2 * DAY
    cadence = item_cadence(log, WEEK, apart)
    _, items, measures = pairs_of(history(*rows), cadence, WEEK, apart)
    occasions = {item: _occasions([day for one, day in rows if one == item]) for item in {item for item, _ in rows}}
    logs_of = {item: [math.log((b - a) / 7) for a, b in itertools.pairwise(d)] for item, d in occasions.items()}
    every = [one for of_item in logs_of.values() for one in of_item]
    user = (sum(every) + 4 * cadence.usual[0]) / (len(every) + 4)
    assert items.tolist() == sorted(occasions)
    for item, row in zip(items.tolist(), measures, strict=True):
        ages = [(40 - day) / 7 for day in occasions[item]]
        about = cadence.items[item] if item < ITEMS else cadence.usual
        usual = about[0] + user - cadence.usual[0]
        expected = (sum(logs_of[item]) + 4 * usual) / (len(ages) - 1 + 4)
        due = math.log(ages[-1] + 0.02) - expected
        wanted = {
            "count": math.log(len(ages)),
            "recency": math.log1p(ages[-1]),
            "faded": math.log(sum(2 ** (-age / 4) for age in ages) + 0.01),
            "rate": math.log(len(ages) / (ages[0] + 4)),
            "item_interval": about[0],
            "item_repeats": about[1],
            "user_interval": user,
            "due": due,
            "due_squared": due**2,
            "user_last": math.log1p((40 - rows[-1][1]) / 7),
        }
        assert {name: row[MEASURES.index(name)] for name in wanted} == pytest.approx(wanted)


def _occasions(days: list[int]) -> list[int]:
    """Return the days that are at least two after the occasion before."""
    kept: list[int] = []
    for day in days:
        if not kept or day - kept[-1] >= 2:
            kept.append(day)
    return kept


@given(logs())
@settings(max_examples=40, deadline=None)
def test_items_have_their_users_intervals(log: Interactions) -> None:
    """An item's interval is the mean over its users, begun with that of all items."""
    days: dict[tuple[int, int], list[int]] = defaultdict(list)
    for user, item, time in zip(log.users, log.items, log.times, strict=True):
        if not days[user, item] or time - days[user, item][-1] >= 2 * DAY:
            days[user, item].append(int(time))
    gaps: list[list[float]] = [[] for _ in range(ITEMS)]
    for (_, item), times in days.items():
        gaps[item] += [math.log((b - a) / WEEK) for a, b in itertools.pairwise(times)]
    every = [one for of_item in gaps for one in of_item]
    usual = sum(every) / max(len(every), 1)
    found = item_cadence(log, WEEK, 2 * DAY)
    assert found.items[:, 0].tolist() == pytest.approx([(sum(own) + 4 * usual) / (len(own) + 4) for own in gaps])


def _regular() -> Interactions:
    """Return a log of 60 users: item 0 weekly, item 1 every four weeks, item 2 once; they begin on different days."""
    rows = []
    for user in range(60):
        start = user % 28
        rows += [(user, 0, day) for day in range(start % 7, 280, 7)]
        rows += [(user, 1, day) for day in range(start, 280, 28)]
        rows.append((user, 2, 100 + start))
    rows.sort(key=lambda one: one[2])
    table = np.array(rows)
    return Interactions(table[:, 0].astype(np.int32), table[:, 1].astype(np.int32), table[:, 2] * DAY, 60, 3)


def test_what_is_due_comes_before_what_was_just_bought() -> None:
    """Of two items bought as often, the one whose interval has passed is likelier; bought once is least likely."""
    model = BuyAgain.fit(_regular(), horizon=WEEK)
    every_month = [(1, day) for day in range(0, 253, 28)]

    def found(at: int) -> dict[int, float]:
        rows = every_month + [(0, day) for day in range(0, at, 7)] + [(2, 110)]
        return dict(rows_of(model.retrieve(history(*sorted(rows, key=lambda one: one[1]), at=at), 3)))

    assert found(256)[1] < 0.1
    assert found(279)[1] > 0.4
    assert max(found(279), key=found(279).__getitem__) == 0
    assert min(found(279), key=found(279).__getitem__) == 2


def test_without_anything_to_learn_it_still_answers() -> None:
    """An empty log gives a model that thinks all as likely; an empty history gets no rows."""
    empty = np.empty(0, np.int32)
    model = BuyAgain.fit(Interactions(empty, empty, empty.astype(np.int64), 0, 3), horizon=WEEK)
    assert rows_of(model.retrieve(history((1, 3), (2, 4)), 5)) == [(1, 0.5), (2, 0.5)]
    assert rows_of(model.retrieve(history(), 5)) == []


def test_a_candidate_that_is_not_in_the_history_has_no_score() -> None:
    """Candidates of other sources are scored where the user knows them, else NaN."""
    others = Candidates(np.array([0, 2]), np.array([6, 1], np.int32))
    for source in (Recent.fit(), BuyAgain.fit(_regular(), horizon=WEEK)):
        assert np.isnan(source.score(history((1, 3)), others)).tolist() == [True, False]


def test_they_come_back_from_their_files_and_wrong_files_are_refused(tmp_path: Path) -> None:
    """What is saved is loaded; damaged files give E6471, contradicting ones E6472."""
    check_file(BuyAgain.fit(_regular(), horizon=WEEK), tmp_path, "weights", np.zeros(3))
    Recent.fit().save(tmp_path / "recent")
    assert Recent.load(tmp_path / "recent") == Recent.fit()
