"""Indexes in service: what a dict would hold is what is found, through exchanges, ways back and many threads."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.index.door import Vectors
from mlsd_framework.runtime.index.live import Gate, LiveIndex, measured_recall
from mlsd_framework.runtime.index.tuning import recall_of
from mlsd_framework.runtime.index.vector_index import SHORT_LOG, VectorIndex, Write, build_index, caught_up
from tests.runtime.index.vectors import items_and_users

DIM = 4
WIDE = {"leaves": 100, "breadth": 60, "depth": 400}
IDS = st.lists(st.integers(0, 40), max_size=6)


def _vector(seed: int) -> Vectors:
    return np.random.default_rng(seed).normal(size=DIM).astype(np.float32)


def _index(held: dict[int, Vectors], fingerprint: str = "m") -> VectorIndex:
    vectors = np.array(list(held.values()), np.float32).reshape(-1, DIM)
    return build_index(np.array(list(held), np.int64), vectors, fingerprint=fingerprint)


class AsADict(RuleBasedStateMachine):
    """A live index beside a dict of what is in it, and another of what was in the one before."""

    def __init__(self) -> None:
        """Begin with a few items."""
        super().__init__()
        self.held = {number: _vector(number) for number in range(5)}
        self.before: dict[int, Vectors] | None = None
        self.live = LiveIndex(_index(self.held))

    @rule(ids=IDS, seed=st.integers(0, 99))
    def upsert(self, ids: list[int], seed: int) -> None:
        """Put items in; the last of one id counts."""
        vectors = np.array([_vector(seed + place) for place in range(len(ids))], np.float32).reshape(-1, DIM)
        self.live.upsert(np.array(ids, np.int64), vectors)
        for known in (self.held, self.before):
            if known is not None:
                known.update(dict(zip(ids, vectors, strict=True)))

    @rule(ids=IDS)
    def delete(self, ids: list[int]) -> None:
        """Take items out, unknown ones among them."""
        self.live.delete(np.array(ids, np.int64))
        for known in (self.held, self.before):
            for one in ids:
                if known is not None:
                    known.pop(one, None)

    @rule()
    def rebalance(self) -> None:
        """Build again what is in it."""
        self.live.rebalance()
        assert self.live.current.fresh == 0

    @rule(ids=IDS, late=IDS)
    def refresh(self, ids: list[int], late: list[int]) -> None:
        """Exchange it for another catalogue, with writes that come while it is built."""
        self.before = self.held
        new = {one: _vector(one + 500) for one in ids}

        def build() -> VectorIndex:
            built = _index(new)
            self.live.upsert(np.array(late, np.int64), np.array([_vector(one + 900) for one in late]).reshape(-1, DIM))
            self.live.delete(np.array(late[:1], np.int64))
            return built

        self.live.refresh(build, Gate(_vector(1)[None], 1.0, 3))
        self.held = dict(new)
        for known in (self.held, self.before):
            known.update({one: _vector(one + 900) for one in late})
            for one in late[:1]:
                known.pop(one, None)

    @rule()
    def rollback(self) -> None:
        """Go back to the one before."""
        if self.before is None:
            with pytest.raises(RunError, match="E6810"):
                self.live.rollback()
        else:
            self.live.rollback()
            self.held, self.before = self.before, self.held

    @invariant()
    def it_finds_what_the_dict_holds(self) -> None:
        """All items come in the order of a full sort, filtered or not."""
        query = _vector(7)
        for allowed in (None, np.arange(0, 60, 2)):
            kept = {one: v for one, v in self.held.items() if allowed is None or one % 2 == 0}
            ids, scores = self.live.search(query[None], 50, allowed)
            assert set(ids[ids >= 0].tolist()) == set(kept)
            wanted = sorted((float(v @ query) for v in kept.values()), reverse=True)
            assert np.allclose(scores[ids >= 0], wanted, atol=1e-5)
        assert len(self.live) == len(self.held)


AsADict.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
test_a_live_index_holds_what_a_dict_would = AsADict.TestCase


def _alongside(acts: list[Callable[[], None]], work: Callable[[], None]) -> None:
    """Repeat the acts, a thread each, while the work is done; a fault of any fails."""
    faults: list[BaseException] = []
    done = threading.Event()

    def repeat(act: Callable[[], None]) -> None:
        try:
            while not done.is_set():
                act()
        except BaseException as fault:  # noqa: BLE001 - it is raised again below
            faults.append(fault)

    threads = [threading.Thread(target=repeat, args=(act,)) for act in acts]
    for one in threads:
        one.start()
    try:
        work()
    finally:
        done.set()
        for one in threads:
            one.join()
    if faults:
        raise faults[0]


def test_readers_never_see_a_mixture() -> None:
    """Each write sets all vectors to one number, each exchange to another: an answer holds a single one."""
    ids = np.arange(32)
    query = np.ones((1, DIM), np.float32)

    def filled(value: float) -> Vectors:
        return np.full((32, DIM), value, np.float32)

    live = LiveIndex(build_index(ids, filled(1), fingerprint="m"))
    counts = {"reads": 0, "writes": 0}

    def read() -> None:
        found, scores = live.search(query, 40)
        assert (found[0, :32] >= 0).all()
        assert (found[0, 32:] == -1).all()
        assert len(set(found[0, :32].tolist())) == 32
        assert len(set(scores[0, :32].tolist())) == 1
        counts["reads"] += 1

    def write() -> None:
        counts["writes"] += 1
        live.upsert(ids, filled(counts["writes"] % 7 + 2))
        live.delete(np.array([77]))

    def exchange() -> None:
        for number in range(12):
            live.refresh(lambda n=number: build_index(ids, filled(100 + n), fingerprint="m"), Gate(query, 0.0))
            live.rebalance()
            live.rollback()

    _alongside([read, read, write], exchange)
    assert counts["reads"] > 0
    assert counts["writes"] > 0


def test_scann_is_exchanged_under_load() -> None:
    """Searches, writes and deletions go on while trees are built; afterwards the recall holds over what is in."""
    items, users = items_and_users(4_000, 100)
    live = LiveIndex(build_index(np.arange(4_000), items, fingerprint="m", kind="scann", settings=WIDE))
    random = np.random.default_rng(1)

    def read() -> None:
        ids, _ = live.search(users, 10)
        assert all(len(set(row.tolist())) == 10 for row in ids)

    def write() -> None:
        chosen = random.integers(0, 4_500, 20)
        live.upsert(chosen, items[chosen % 4_000] * np.float32(1.1))
        live.delete(random.integers(0, 4_000, 2))

    def exchange() -> None:
        gate = Gate(users, 0.8)
        live.refresh(lambda: build_index(np.arange(4_000), items, fingerprint="m", kind="scann", settings=WIDE), gate)
        live.rebalance()

    _alongside([read, write], exchange)
    assert measured_recall(live.current, Gate(users, 0)) >= 0.85
    ids, vectors = live.current.state.living()
    assert len(np.unique(ids)) == len(ids) == len(live)
    truth = ids[np.argsort(-(users @ vectors.T), axis=1)[:, :10]]
    assert recall_of(live.search(users, 10)[0], truth) >= 0.85


def test_a_poor_index_is_not_let_in() -> None:
    """Where the recall is missed the one that answers stays, and writes go on."""
    items, users = items_and_users(4_000, 50)
    live = LiveIndex(build_index(np.arange(4_000), items, fingerprint="m"))
    former = live.current
    poor = {"leaves": 100, "breadth": 1, "depth": 10}
    with pytest.raises(RunError, match="E6809"):
        live.refresh(
            lambda: build_index(np.arange(4_000), items, fingerprint="m", kind="scann", settings=poor),
            Gate(users, 0.95),
        )
    assert live.current is former
    live.upsert(np.array([9]), users[:1] * 100)
    assert live.search(users[:1], 1)[0].tolist() == [[9]]


def test_models_are_not_mixed() -> None:
    """Queries and vectors of another model are refused; writes during its build are embedded anew or refused."""
    live = LiveIndex(_index({1: _vector(1)}))
    with pytest.raises(RunError, match="E6807"):
        live.search(_vector(1)[None], 1, fingerprint="other")
    with pytest.raises(RunError, match="E6807"):
        live.upsert(np.array([1]), _vector(1)[None], fingerprint="other")

    def build() -> VectorIndex:
        live.upsert(np.array([2]), _vector(2)[None])
        return _index({1: _vector(11)}, "other")

    gate = Gate(_vector(1)[None], 0.0)
    with pytest.raises(RunError, match="E6807"):
        live.refresh(build, gate)
    assert live.current.about.fingerprint == "m"
    live.refresh(build, gate, lambda ids: np.array([_vector(100 + one) for one in ids]))
    found, scores = live.search(_vector(102)[None], 1, fingerprint="other")
    assert found.tolist() == [[2]] or scores[0, 0] > 0
    live.upsert(np.array([3]), _vector(3)[None])
    live.rollback()
    assert sorted(live.current.state.living()[0].tolist()) == [1, 2]


def test_writers_as_fast_as_the_replay_are_caught_up_with() -> None:
    """While what is logged is replayed as much comes again, each time: the last of it is replayed under the lock."""
    rows = 2 * SHORT_LOG
    write: Write = (np.arange(rows), np.ones((rows, DIM), np.float32))
    other, lock = build_index(np.arange(1), _vector(1)[None], fingerprint="m"), threading.Lock()
    taken: list[bool] = []

    def take() -> list[Write]:
        taken.append(lock.locked())
        return [write]

    with caught_up(other, lock, take):
        assert lock.locked()
        assert len(other) == rows
    assert taken == [True, True]
