"""Micro-batches are as large as what is waiting, within bounds that follow how long they take."""

from hypothesis import given
from hypothesis import strategies as st

from mlsd_framework.runtime.stream.batch_size import BatchSize


def test_a_backlog_makes_batches_larger() -> None:
    """Full and quick batches double the bound, up to the most."""
    size = BatchSize(least=10, most=100, target=0.1, limit=20)
    for expected in (40, 80, 100, 100):
        size.observe(size.limit, 0.01)
        assert size.limit == expected


def test_slow_batches_are_made_smaller() -> None:
    """A batch that takes too long shrinks the bound, down to the least; a part-full one leaves it."""
    size = BatchSize(least=10, most=100, target=0.1, limit=80)
    size.observe(80, 0.2)
    assert size.limit == 40
    size.observe(5, 0.01)
    assert size.limit == 40
    for _ in range(5):
        size.observe(40, 10.0)
    assert size.limit == 10


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(0, 100))))
def test_the_bounds_hold(batches: list[tuple[int, float]]) -> None:
    """Whatever batches come, the bound stays between the least and the most."""
    size = BatchSize(least=8, most=512, limit=64)
    for payloads, seconds in batches:
        size.observe(payloads, seconds)
        assert 8 <= size.limit <= 512
