"""Newcomers of a test: nobody knows them, what they say is of the past alone, what is right is what they did."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.features.sql_polars import in_list
from mlsd_framework.runtime.ranking_metrics.relevance import Relevant
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import Histories, Interactions, histories_of
from mlsd_framework.runtime.retrieval.item_table import ItemTable, Where
from mlsd_framework.runtime.retrieval.popularity import Popularity
from mlsd_framework.runtime.retrieval.retrieval import Ask, Retrieval
from mlsd_framework.runtime.training import onboarding
from mlsd_framework.runtime.training.candidate_examples import Asked
from mlsd_framework.runtime.training.newcomers import Asking, Likes, New, Newcomers
from mlsd_framework.runtime.training.onboarding import Onboarding, Rows
from mlsd_framework.runtime.training.parts import Moment, PartName

KINDS = ["a", "b", "a", None, "c", "b", "a", "c"]
ITEMS = len(KINDS)
TABLE = ItemTable.of([pl.DataFrame({"product.kind": KINDS})])


def histories(rows: list[list[int]]) -> Histories:
    """Return histories of items, oldest first."""
    items = np.array([item for row in rows for item in row], np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Histories(offsets, items, np.arange(len(items)), np.full(len(rows), 1000))


def by_hand(row: list[int], most: int) -> tuple[Any, ...]:
    """Return the most frequent kinds of a history, of equal ones the newest first."""
    kinds = [kind for item in row if (kind := KINDS[item]) is not None]
    newest = {kind: place for place, kind in enumerate(kinds)}
    return tuple(sorted(newest, key=lambda kind: (-Counter(kinds)[kind], -newest[kind]))[:most])


@given(st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=9), max_size=6), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_they_say_what_their_history_holds_most_often(rows: list[list[int]], most: int) -> None:
    """The most frequent values of the column, and nothing where a history has none."""
    found = Likes("likes", "product.kind", most).of(histories(rows), TABLE)
    assert found == [by_hand(row, most) for row in rows]


def asked_at(log: Interactions, at: int = 500, part: PartName = "train") -> tuple[Asked, Histories, Asking]:
    """Return a request of each user of a log at a moment, what they had, and how they are asked again."""
    known = log.until(at)
    users = np.arange(log.user_count)
    history = histories_of(known, users, np.full(log.user_count, at))
    later = log.times >= at
    pairs = np.unique(np.stack([log.users[later], log.items[later]]), axis=1)
    rows = pl.DataFrame({"user": users.astype(np.int64)}).with_columns(
        pl.lit(at).cast(pl.Int64).cast(pl.Datetime("us", "UTC")).alias("at")
    )
    relevant = Relevant.of_pairs(pairs[0], pairs[1].astype(np.int32), log.user_count)
    one = Asked(rows, relevant, Moment(at, part, 1000 - at))
    where = Where(in_list(pl.col("product.kind"), pl.col("likes")), ("product.kind",), {"likes": pl.List(pl.String)})
    asking = Asking(
        Retrieval({"top": Ask(2), "liked": Ask(3, where=where)}, 5),
        {name: Popularity.fit(known, at=at) for name in ("top", "liked")},
        user="user",
        table=TABLE,
        given={"likes": [()] * log.user_count},
    )
    return one, history, asking


def asked_again(folder: Path, log: Interactions, sample: int) -> dict[str, Any]:
    """Ask all users of a log again at a moment after its first half, and return what is kept."""
    one, history, asking = asked_at(log, part="test")
    rows = Rows(
        Catalogue(tuple(range(100, 100 + ITEMS))),
        item="item",
        label="bought",
        features=lambda rows: rows.with_columns(pl.col("user").is_null().alias("person.unknown")),
    )
    onboarding.write(folder, Onboarding(Likes("likes", "product.kind", 1), sample), one, history, asking, rows)
    return {"kept": onboarding.read(folder), "history": history, "asked": one}


def log_of(seed: int) -> Interactions:
    """Return a log of six users over a thousand moments."""
    draw = np.random.default_rng(seed)
    users, items = draw.integers(0, 6, 80, np.int32), draw.integers(0, ITEMS, 80, np.int32)
    return Interactions(users, items, np.sort(draw.integers(0, 1000, 80)), 6, ITEMS)


def test_nobody_knows_them_and_right_is_what_they_did(tmp_path: Path) -> None:
    """Histories are empty, users null, features those of nobody; those who say what they like are found more of it."""
    made = asked_again(tmp_path, log_of(1), 10)
    assert list(made["kept"]) == ["newcomers", "onboarded"]
    for name, (again, rows) in made["kept"].items():
        assert again.requests["user"].null_count() == 6
        assert not len(again.history.items)
        assert again.relevant.items.tolist() == made["asked"].relevant.items.tolist()
        assert len(set(again.ids("user"))) == 6
        assert rows["person.unknown"].all()
        assert set(rows["request"]) == set(range(6))
        said = again.said("likes", ("x",))
        expected = [by_hand(made["history"].request(one).items.tolist(), 1) for one in range(6)]
        assert said == (expected if name == "onboarded" else [()] * 6)
        for request in range(6):
            kinds = {KINDS[item] for item in again.found["liked"].of(request).tolist()}
            assert kinds <= set(said[request])
            assert again.found["top"].of(request).tolist() == made["kept"]["newcomers"][0].found["top"].of(0).tolist()


def test_some_are_drawn_and_the_future_says_nothing(tmp_path: Path) -> None:
    """With other events after the moment the same users say the same and get the same."""
    log = log_of(2)
    later = log.times >= 500
    other = Interactions(
        log.users, np.where(later, (log.items + 3) % ITEMS, log.items).astype(np.int32), log.times, 6, ITEMS
    )
    found = [asked_again(tmp_path / str(number), one, 4)["kept"] for number, one in enumerate((log, other))]
    for name in ("newcomers", "onboarded"):
        (one, rows), (two, again) = found[0][name], found[1][name]
        assert one.requests.height == 4
        assert one.requests.equals(two.requests)
        assert rows.drop("bought").equals(again.drop("bought"))
        assert one.relevant.items.tolist() != two.relevant.items.tolist()


def came(relevant: Relevant, request: int) -> tuple[int, ...]:
    """Return what is relevant to a request."""
    return tuple(relevant.items[relevant.offsets[request] : relevant.offsets[request + 1]].tolist())


def taught(log: Interactions, newcomers: Newcomers, at: int = 500) -> list[New]:
    """Return what is asked again for training at a moment."""
    one, history, asking = asked_at(log, at)
    return list(newcomers.of(one, history, asking))


@given(st.integers(0, 50), st.floats(0.01, 1))
@settings(max_examples=30, deadline=None)
def test_a_share_of_training_is_asked_twice(seed: int, share: float) -> None:
    """The same requests say nothing and what they like; what comes of them is what their users did."""
    log = log_of(seed)
    one, history, _ = asked_at(log)
    nothing, likes = taught(log, Newcomers(share, Likes("likes", "product.kind", 2), seed=seed))
    assert nothing.asked.rows.height == max(1, round(share * 6))
    assert nothing.asked.rows["user"].null_count() == nothing.asked.rows.height
    assert nothing.asked.rows.schema == one.rows.schema
    assert likes.asked.rows.equals(nothing.asked.rows)
    answers = {came(one.relevant, request) for request in range(6)}
    for new in (nothing, likes):
        assert not len(new.history.items)
        assert new.history.requests == new.merged.requests == new.asked.rows.height
        for request in range(new.history.requests):
            assert came(new.asked.relevant, request) in answers
    assert not len(nothing.found["liked"].items)
    kinds = {by_hand(history.request(one).items.tolist(), 2) for one in range(6)}
    for request in range(likes.history.requests):
        found = {KINDS[item] for item in likes.found["liked"].of(request).tolist()}
        assert any(found <= set(each) for each in kinds)


def test_other_parts_ask_others() -> None:
    """With the same seed the requests drawn differ from part to part, and do not from run to run."""
    log, newcomers = log_of(3), Newcomers(0.5)
    drawn = [tuple(newcomers.drawn(asked_at(log, at)[0])) for at in range(500, 520)]
    assert drawn == [tuple(newcomers.drawn(asked_at(log, at)[0])) for at in range(500, 520)]
    assert len(set(drawn)) > 10
    assert len(taught(log, newcomers)) == 1, "who likes nothing in particular is asked once"
