"""Item to item, EASE, ALS and content: each beside the plainest way to compute the same."""

import itertools
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.retrieval.als import Als
from mlsd_framework.runtime.retrieval.content import Content
from mlsd_framework.runtime.retrieval.ease import Ease
from mlsd_framework.runtime.retrieval.interactions import Interactions
from mlsd_framework.runtime.retrieval.item_item import SIMILARITIES, ItemItem, Similarity
from mlsd_framework.runtime.retrieval.profile import AMOUNTS, Amount, Weighting
from mlsd_framework.runtime.retrieval.source import ModelSource
from tests.runtime.retrieval.drawn import DAY, ITEMS, USERS, asked, check_batch, check_file, history, logs, rows_of

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WEIGHTINGS = st.builds(Weighting, st.sampled_from([0, 5 * DAY]), st.sampled_from(AMOUNTS))


def _weight(ages: list[float], half_life: float, amount: Amount) -> float:
    """Return the weight of one item's events, by their ages, the oldest first."""
    faded = [0.5 ** (age / half_life) if half_life else 1.0 for age in ages]
    return {"once": faded[-1], "log": math.log1p(sum(faded)), "sum": sum(faded)}[amount]


def _matrix(log: Interactions, how: Weighting) -> np.ndarray:
    """Return the weights of all users' items just after the log's end: [users, items]."""
    ages = defaultdict(list)
    end = int(log.times[-1]) + 1 if len(log.times) else 0
    for user, item, time in zip(log.users, log.items, log.times, strict=True):
        ages[user, item].append(end - int(time))
    matrix = np.zeros((log.user_count, log.item_count))
    for (user, item), of_pair in ages.items():
        matrix[user, item] = _weight(of_pair, how.half_life, how.amount)
    return matrix


def _query(source: ModelSource, request: list[tuple[int, int]], at: int) -> np.ndarray:
    """Return the weights of one history's items: [items]."""
    ages = defaultdict(list)
    for item, day in request:
        ages[item].append((at - day) * DAY)
    weights = np.zeros(ITEMS)
    for item, of_item in ages.items():
        weights[item] = _weight(of_item, source.half_life, source.amount)
    return weights


REQUEST = [(0, 3), (2, 10), (0, 30), (5, 31)]


def _check_scores(source: ModelSource, expected: np.ndarray, floor: float) -> None:
    """Assert that the answer to REQUEST is every known item by its expected score: [items], NaN where it has none."""
    found = dict(rows_of(source.retrieve(history(*REQUEST), ITEMS)))
    wanted = {item: score for item, score in enumerate(expected) if score > floor}
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-5)
    unseen = dict(rows_of(source.retrieve(history(*REQUEST), ITEMS, seen=False)))
    assert set(unseen) == set(found) - {item for item, _ in REQUEST}


@given(logs(), st.integers(0, 4))
@QUICK
def test_a_session_ends_with_a_pause(log: Interactions, days: int) -> None:
    """Events of one user no further apart than the pause, one after the other, are of one session."""
    found = log.sessions(days * DAY)
    last: dict[int, tuple[int, int]] = {}
    number, expected = 0, {}
    for row in np.lexsort((np.arange(len(log.users)), log.users)):
        user, time = int(log.users[row]), int(log.times[row])
        if user not in last or time - last[user][0] > days * DAY:
            last[user] = (time, number)
            number += 1
        last[user] = (time, last[user][1])
        expected[int(row)] = last[user][1]
    assert found.users.tolist() == [expected[row] for row in range(len(log.users))]
    assert (found.user_count, found.items.tolist()) == (number, log.items.tolist())
    whole = ItemItem.fit(log, sessions=days * DAY, least=1) if days else None
    if whole is not None:
        alone = ItemItem.fit(found, least=1)
        assert np.array_equal(whole.similarities, alone.similarities)
        assert np.array_equal(Ease.fit(log, sessions=days * DAY).weights, Ease.fit(found).weights)


@given(logs(), st.floats(0.5, 30.0))
@QUICK
def test_words_count_as_users_who_have_both(log: Interactions, likeness: float) -> None:
    """Items that are alike are near from the start: as if each dimension were a user with its items."""
    draw = np.random.default_rng(1)
    vectors = draw.normal(size=(ITEMS, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    model = Ease.fit(log, l2=10.0, vectors=vectors, likeness=likeness)
    matrix, known = _matrix(log, Weighting()), model.codes
    rows = np.concatenate([matrix, np.sqrt(likeness) * vectors.T])[:, known]
    inverse = np.linalg.inv(rows.T @ rows + 10.0 * np.eye(len(known)))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0.0)
    assert model.weights == pytest.approx(expected, rel=1e-3, abs=1e-4)


@given(logs(), WEIGHTINGS, st.sampled_from(SIMILARITIES), st.sampled_from([0, 7 * DAY]), st.integers(1, 3))
@QUICK
def test_item_item_is_counted_as_by_hand(
    log: Interactions, how: Weighting, similarity: Similarity, fade: int, least: int
) -> None:
    """Each pair's similarity is what the formula gives on plain sums, and an answer adds the history's."""
    model = ItemItem.fit(log, similarity=similarity, shrinkage=2.0, least=least, fade=fade, weighting=how)
    weights = _matrix(log, Weighting(fade))
    known = (weights > 0).sum(axis=0) >= least
    single, total = weights.sum(axis=0), weights.max(axis=1, initial=0.0).sum()
    alike = np.zeros((ITEMS, ITEMS))
    for one, other in itertools.permutations(np.flatnonzero(known), 2):
        both = np.sqrt(weights[:, one] * weights[:, other]).sum()
        if both > 0:
            alike[one, other] = _alike(similarity, both, single[one], single[other], total) * both / (both + 2.0)
    query = _query(model, REQUEST, 40)
    _check_scores(model, query @ alike, 1e-9)


def _alike(similarity: Similarity, both: float, one: float, other: float, total: float) -> float:
    if similarity == "cosine":
        return both / math.sqrt(one * other)
    if similarity == "jaccard":
        return both / (one + other - both)
    if similarity == "lift":
        return both * total / (one * other)
    both = min(both, one, other)
    if both * total <= one * other * (1 + 1e-9):
        return 0.0
    ratio = 0.0
    for cell, row, column in (
        (both, one, other),
        (one - both, one, total - other),
        (other - both, total - one, other),
        (total - one - other + both, total - one, total - other),
    ):
        if cell > 0 and row > 0 and column > 0:
            ratio += cell * math.log(cell * total / (row * column))
    return max(2 * ratio, 0.0)


def test_users_of_rare_items_alone_count_in_lift() -> None:
    """What is expected by chance is of all users, those too whose items are all left out."""
    log = Interactions(
        np.array([0, 0, 1, 2, 2], np.int32), np.array([0, 1, 2, 0, 1], np.int32), np.arange(5) * DAY, 3, 3
    )
    model = ItemItem.fit(log, similarity="lift", shrinkage=0.0, least=2)
    assert rows_of(model.retrieve(history((0, 1)), 5)) == [(1, 1.5)]


def test_only_the_best_neighbours_are_kept() -> None:
    """Of many neighbours those of the largest similarity stay."""
    users = np.repeat(np.arange(4), [4, 3, 3, 2]).astype(np.int32)
    items = np.array([0, 1, 2, 3, 0, 1, 2, 0, 1, 4, 0, 1], np.int32)
    log = Interactions(users, items, np.arange(12) * DAY, 4, 5)
    model = ItemItem.fit(log, neighbours=2, least=1, shrinkage=0.0)
    assert [item for item, _ in rows_of(model.retrieve(history((0, 1)), 5))] == [1, 2]


@given(logs(least=1), WEIGHTINGS)
@QUICK
def test_ease_is_its_closed_form(log: Interactions, how: Weighting) -> None:
    """The answer is the history times -P / diag(P), without the diagonal, P being the inverse of the Gram matrix."""
    model = Ease.fit(log, l2=3.0, weighting=how)
    matrix = _matrix(log, how)
    known = matrix.any(axis=0)
    inverse = np.linalg.inv(matrix.T @ matrix + 3.0 * np.eye(ITEMS))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    query = _query(model, REQUEST, 40) * known
    expected = np.where(known, query @ weights, np.nan) if query.any() else np.full(ITEMS, np.nan)
    _check_scores(model, expected, -np.inf)


def test_ease_takes_the_most_common_items() -> None:
    """Items beyond `most` are neither scored nor counted in a history."""
    log = Interactions(
        np.array([0, 1, 2, 0, 1, 0], np.int32), np.array([4, 4, 4, 1, 1, 2], np.int32), np.arange(6) * DAY, 3, 5
    )
    model = Ease.fit(log, l2=1.0, most=2)
    assert model.codes.tolist() == [1, 4]
    assert not rows_of(model.retrieve(history((2, 1)), 5))


@given(logs(least=1), WEIGHTINGS)
@QUICK
def test_als_solves_the_asking_user_as_learning_does(log: Interactions, how: Weighting) -> None:
    """The user's factors make the weighted least squares of Hu et al. smallest: its slope there is zero."""
    model = Als.fit(log, factors=3, l2=0.5, alpha=4.0, iterations=3, weighting=how)
    query = _query(model, REQUEST, 40)[model.codes]
    if not query.any():
        assert not rows_of(model.retrieve(history(*REQUEST), ITEMS))
        return
    places = np.flatnonzero(query)
    user = model.user(places, query[places])
    wide = model.factors.T.astype(np.float64)
    trust, liked = 1.0 + 4.0 * query, (query > 0).astype(float)
    np.testing.assert_allclose(wide.T @ (trust * (wide @ user - liked)) + 0.5 * user, 0.0, atol=1e-6)
    expected = np.full(ITEMS, np.nan)
    expected[model.codes] = wide @ user
    _check_scores(model, expected, -np.inf)


@given(st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=ITEMS, max_size=ITEMS), WEIGHTINGS)
@QUICK
def test_content_is_the_cosine_to_the_mean(rows: list[list[int]], how: Weighting) -> None:
    """The score is the cosine between an item and the weighted mean of the history's unit vectors."""
    vectors = np.array(rows, np.float64)
    model = Content.fit(vectors, weighting=how)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, np.nan)
    query = _query(model, REQUEST, 40)
    chosen = (query > 0) & (lengths[:, 0] > 0)
    mean = query[chosen] @ unit[chosen]
    expected = unit @ (mean / (np.linalg.norm(mean) or 1.0)) if chosen.any() else np.full(ITEMS, np.nan)
    if chosen.any() and np.linalg.norm(mean) > 1e-6:
        _check_scores(model, expected, -np.inf)


def test_content_keeps_the_main_axes() -> None:
    """Vectors that lie in a plane lose nothing when two dimensions are kept."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(ITEMS, 2)) @ rng.normal(size=(2, 9))
    whole, reduced = (Content.fit(vectors, dimensions=kept) for kept in (None, 2))
    assert reduced.vectors.shape == (2, ITEMS)
    assert rows_of(reduced.retrieve(history(*REQUEST), 8)) == [
        (item, pytest.approx(score, abs=1e-5)) for item, score in rows_of(whole.retrieve(history(*REQUEST), 8))
    ]


def _fitted(log: Interactions, how: Weighting) -> list[ModelSource]:
    vectors = np.random.default_rng(3).normal(size=(ITEMS, 4))
    return [
        ItemItem.fit(log, least=1, weighting=how),
        Ease.fit(log, l2=2.0, weighting=how),
        Als.fit(log, factors=4, iterations=2, weighting=how),
        Content.fit(vectors, weighting=how),
    ]


@given(logs(least=1), WEIGHTINGS, st.integers(0, 10), st.booleans())
@QUICK
def test_many_requests_get_what_each_gets_alone(log: Interactions, how: Weighting, n: int, seen: bool) -> None:
    """Batch equals one by one, for each model."""
    for model in _fitted(log, how):
        check_batch(model, asked(log), n, seen=seen)


def test_one_seed_gives_one_model() -> None:
    """Fitted twice on the same log, a model is the same to the bit."""
    rng = np.random.default_rng(0)
    log = Interactions(
        rng.integers(0, USERS, 60, np.int32), rng.integers(0, ITEMS, 60, np.int32), np.arange(60) * DAY, USERS, ITEMS
    )
    for one, other in zip(_fitted(log, Weighting()), _fitted(log, Weighting()), strict=True):
        for name in one.ARRAYS:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_new_event_changes_the_next_answer() -> None:
    """Answers come from the history that is given; without one there are none."""
    rng = np.random.default_rng(0)
    log = Interactions(
        rng.integers(0, USERS, 30, np.int32), rng.integers(0, ITEMS, 30, np.int32), np.arange(30) * DAY, USERS, ITEMS
    )
    for model in _fitted(log, Weighting()):
        assert rows_of(model.retrieve(history(), 5)) == []
        before, after = model.retrieve(history((1, 1)), 5), model.retrieve(history((1, 1), (6, 2)), 5)
        assert rows_of(before) != rows_of(after)


@pytest.mark.parametrize(
    ("number", "wrong", "value"),
    [
        (0, "neighbours", np.full(3, 99)),
        (0, "codes", np.zeros(8)),
        (0, "offsets", np.zeros(2)),
        (1, "weights", np.zeros((2, 2))),
        (2, "gram", -np.eye(4)),
        (2, "factors", np.full((4, 8), np.nan)),
        (3, "vectors", np.zeros((4, 1))),
    ],
)
def test_a_model_comes_back_from_its_file_and_a_wrong_file_is_refused(
    number: int, wrong: str, value: np.ndarray, tmp_path: Path
) -> None:
    """What is saved is loaded; damaged files give E6471, contradicting ones E6472."""
    rng = np.random.default_rng(0)
    log = Interactions(
        rng.integers(0, USERS, 60, np.int32), rng.integers(0, ITEMS, 60, np.int32), np.arange(60) * DAY, USERS, ITEMS
    )
    check_file(_fitted(log, Weighting(DAY, "log"))[number], tmp_path, wrong, value)
