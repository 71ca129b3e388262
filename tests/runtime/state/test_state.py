"""States of live groups against the brute-force oracle: split, shuffled, repeated, compacted."""

import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup
from mlsd_framework.runtime.state.layout import StateLayout
from tests.runtime.features.window_oracle import SECOND, oracle, same

START = datetime(2024, 1, 1, tzinfo=UTC)
HALF = timedelta(seconds=4)
SCHEMA = {
    "k": pl.Int64,
    "id": pl.Int64,
    "ts": pl.Datetime("us", "UTC"),
    "written": pl.Datetime("us", "UTC"),
    "x": pl.Float64,
    "n": pl.Int64,
    "s": pl.String,
    "f": pl.Boolean,
    "t": pl.Datetime("us", "UTC"),
    "name": pl.String,
}
DTYPES = {
    "id": "int64", "name": "string", "x": "float64", "n": "int64", "s": "string", "f": "bool", "t": "timestamp",
}  # fmt: skip
PLAIN = ("sum", "mean", "std", "min", "max", "first", "last", "count_distinct", "time_since_last", "rate", "count")
AGGREGATES = (
    Aggregate("events", "count"),
    Aggregate("quiet", "time_since_last"),
    Aggregate("pace", "rate"),
    *(Aggregate(f"x_{f}", f, "x") for f in PLAIN),
    *(Aggregate(f"n_{f}", f, "n") for f in ("sum", "mean", "std", "min", "max", "last")),
    *(Aggregate(f"s_{f}", f, "s") for f in ("min", "max", "first", "last", "count_distinct")),
    Aggregate("f_sum", "sum", "f"),
    Aggregate("f_last", "last", "f"),
    Aggregate("t_max", "max", "t"),
    Aggregate("s_few", "count_distinct", "s", exact=2),
    Aggregate("x_ewma", "ewma", "x", half_life=HALF),
    Aggregate("n_decayed", "decayed_sum", "n", half_life=HALF),
    Aggregate("s_newest", "last_n", "s", n=3),
    Aggregate("x_newest", "last_n", "x", n=2),
    Aggregate("s_often", "top_k", "s", n=2),
    Aggregate("n_often", "top_k", "n", n=3),
)
values = st.sampled_from([0.0, 1.0, -1.5, 1e15, -1e15, 0.1, 1e-3, math.nan, None]) | st.floats(-1e6, 1e6)
rows = st.tuples(
    st.integers(0, 60),
    st.integers(0, 8),
    values,
    st.integers(-(2**40), 2**40) | st.sampled_from([1, 2, None]),
    st.sampled_from(["", "u", "v", "ü€", "w" * 30, None]),
    st.booleans() | st.none(),
)


def log_of(drawn):
    """Events of one key as a frame: a moment, how late it was written, values; the source key counts on."""
    return pl.DataFrame(
        [
            (7, i, START + at * SECOND, START + (at + late) * SECOND, x, n, s, f, START + i * SECOND, f"{i % 3}·{i}")
            for i, (at, late, x, n, s, f) in enumerate(drawn)
        ],
        schema=SCHEMA,
        orient="row",
    )


def micro(moment):
    """Microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def plain(value):
    """As the oracle has it: moments as datetimes are numbers here, lists are tuples."""
    if isinstance(value, datetime):
        return micro(value)
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


def grown(layout, log, random, *, compacting):
    """Append a log in random pieces, repeat some events, compact at random."""
    order = list(range(log.height))
    random.shuffle(order)
    order += random.sample(order, k=len(order) // 4)
    state = b""
    while order:
        size = random.randint(1, 6)
        piece, order = order[:size], order[size:]
        state += b"".join(layout.blocks(log[piece])[1])
        if compacting and random.random() < 0.4:
            state = layout.compact(state)
    return state


def check(layout, state, log, moments):
    """Hold what a state says against the oracle."""
    events = log.to_dicts()
    for moment in moments:
        ours = layout.finish(state or None, micro(moment))
        expected = [plain(value) for value in oracle(events, {"k": 7, "ts": moment}, layout.group)]
        wrong = [
            (column.name, a, b)
            for column, a, b in zip(layout.columns, ours, expected, strict=True)
            if not same(plain(a), b)
        ]
        assert not wrong


@settings(max_examples=60, deadline=None)
@given(
    st.lists(rows, max_size=30),
    st.lists(st.sampled_from([1, 3, 10, 45]).map(lambda n: n * SECOND), min_size=1, max_size=2, unique=True),
    st.sampled_from([("id",), ("name",), ("name", "id")]),
    st.sampled_from([0, 2]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_exact_states_equal_the_oracle(drawn, windows, key, delay, bitemporal, random):
    """However a log came and was compacted, an exact state says at any moment what the definitions say."""
    group = WindowGroup(
        "g", ("k",), "log", "ts", (*windows, None), AGGREGATES, delay=delay * SECOND, key=key,
        ingest_time="written" if bitemporal else None,
    )  # fmt: skip
    layout = StateLayout(group, DTYPES)
    log = log_of(drawn)
    state = grown(layout, log, random, compacting=random.random() < 0.7)
    check(layout, state, log, [START + s * SECOND for s in (0, 1, 17, 30, 61, 70)])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(rows, max_size=40),
    st.sampled_from([4, 7]),
    st.sampled_from([("id",), ("name",)]),
    st.randoms(use_true_random=False),
)
def test_tiled_states_equal_the_oracle(drawn, resolution, key, random):
    """A tiled state says what the definition with a rounded beginning says, at moments after its events."""
    group = WindowGroup(
        "g", ("k",), "log", "ts", (3 * SECOND, 20 * SECOND, None), AGGREGATES, key=key,
        resolution=resolution * SECOND,
    )  # fmt: skip
    layout = StateLayout(group, DTYPES)
    log = log_of(drawn)
    state = grown(layout, log, random, compacting=True)
    check(layout, state, log, [START + s * SECOND for s in (61, 64, 70, 75)])


@settings(max_examples=30, deadline=None)
@given(st.lists(rows, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_old_events_are_summed_up_or_dropped(drawn, random):
    """What is older than every window leaves the records of a state, and a lifetime still counts it."""
    for windows in ((5 * SECOND,), (5 * SECOND, None)):
        group = WindowGroup("g", ("k",), "log", "ts", windows, AGGREGATES, key=("id",))
        layout = StateLayout(group, DTYPES)
        old = log_of(drawn)
        new = log_of([(at, 0, *rest) for at, _, *rest in drawn]).with_columns(
            pl.col("ts") + timedelta(days=2), id=pl.col("id") + 1000
        )
        state = layout.compact(grown(layout, old, random, compacting=True))
        state = layout.compact(state + b"".join(layout.blocks(new)[1]))
        log = pl.concat([old, new])
        check(layout, state, log, [START + timedelta(days=2) + s * SECOND for s in (0, 20, 61)])
        if windows == (5 * SECOND,):
            assert len(state) < len(layout.blocks(log)[1][0])
            assert state == layout.compact(b"".join(layout.blocks(new)[1]))


def test_keys_are_told_apart():
    """Each key of a frame has a block of its own; events without a key have none."""
    layout = StateLayout(
        WindowGroup("g", ("k", "s"), "log", "ts", (None,), (Aggregate("n", "count"),), key=("id",)), DTYPES
    )
    log = log_of([(i, 0, None, None, s, None) for i, s in enumerate(["a", "b", "a", None])])
    keys, blocks = layout.blocks(log)
    assert keys == [b"i1:7s1:a", b"i1:7s1:b"]
    assert [layout.finish(block, micro(START) + 10**9) for block in blocks] == [(2,), (1,)]


def test_states_that_are_not_what_was_written_are_refused():
    """A flipped bit, a cut, and a state of another definition each have their error."""
    group = WindowGroup("g", ("k",), "log", "ts", (SECOND, None), (Aggregate("s", "last", "s"),), key=("id",))
    layout = StateLayout(group, DTYPES)
    state = layout.blocks(log_of([(1, 0, None, None, "abc", None)] * 3))[1][0]
    for place in range(len(state)):
        for changed in (state[:place] + bytes([state[place] ^ 4]) + state[place + 1 :], state[: place or -1]):
            with pytest.raises(RunError) as caught:
                layout.finish(changed, 0)
            assert caught.value.diagnostics[0].code in ("E6213", "E6214")
    other = StateLayout(
        WindowGroup("g", ("k",), "log", "ts", (SECOND,), (Aggregate("s", "last", "s"),), key=("id",)), DTYPES
    )
    with pytest.raises(RunError) as caught:
        other.finish(state, 0)
    assert caught.value.diagnostics[0].code == "E6213"
    assert layout.finish(None, 0) == (None, None)
