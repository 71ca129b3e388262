"""Window features against a brute-force oracle: edges, ties, nulls, unseen keys, delay, refresh, composite keys."""

import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.materialisation import materialise_all, write_groups
from mlsd_framework.runtime.features.offline import materialise, window_features
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup, column_names
from mlsd_framework.runtime.workspace import Workspace
from tests.runtime.features.window_oracle import SECOND, deviation, oracle, same

START = datetime(2024, 1, 1, tzinfo=UTC)
EVENTS = {
    "a": pl.String,
    "b": pl.Int64,
    "ts": pl.Datetime("us", "UTC"),
    "id": pl.Int64,
    "x": pl.Float64,
    "n": pl.Int64,
    "s": pl.String,
    "f": pl.Boolean,
    "written": pl.Datetime("us", "UTC"),
}
QUERIES = {"a": pl.String, "b": pl.Int64, "ts": pl.Datetime("us", "UTC")}
PLAIN = ("count", "sum", "mean", "min", "max", "std", "first", "last", "count_distinct", "time_since_last")
AGGREGATES = (
    Aggregate("events", "count"),
    Aggregate("quiet", "time_since_last"),
    Aggregate("quiet_x", "time_since_last", "x"),
    Aggregate("flags", "sum", "f"),
    *(Aggregate(f"x_{f}", f, "x") for f in PLAIN if f != "time_since_last"),
    *(Aggregate(f"n_{f}", f, "n") for f in ("sum", "mean", "min", "max", "std", "last")),
    *(Aggregate(f"s_{f}", f, "s") for f in ("count", "min", "max", "first", "last", "count_distinct")),
    Aggregate("pace", "rate"),
    Aggregate("x_pace", "rate", "x"),
    Aggregate("x_ewma", "ewma", "x", half_life=4 * SECOND),
    Aggregate("n_decayed", "decayed_sum", "n", half_life=SECOND / 10),
    Aggregate("s_newest", "last_n", "s", n=3),
    Aggregate("x_newest", "last_n", "x", n=2),
    Aggregate("s_often", "top_k", "s", n=2),
    Aggregate("n_often", "top_k", "n", n=3),
    Aggregate("s_few", "count_distinct", "s", exact=2),
)

floats = st.one_of(
    st.sampled_from(
        [0.0, -0.0, 1.0, -1.0, 1e15, 1e-3, -1e15, 0.1, 0.2, 1e300, -1e300, math.nan, math.inf, -math.inf, 9.99]
    ),
    st.floats(-1e6, 1e6) | st.floats(-1e-250, 1e-250),
)
moments = st.integers(0, 40).map(lambda n: START + n * SECOND)
keys = st.tuples(st.sampled_from(["p", "p", "p", "q", None]), st.sampled_from([1, 1, 1, 2, None]))
event = st.tuples(
    keys,
    moments,
    floats | st.none(),
    st.integers(-(2**40), 2**40) | st.none(),
    st.sampled_from(["u", "v", "w", None]),
    st.booleans() | st.none(),
    st.sampled_from([0, 0, 0, 1, 5, 30]).map(lambda n: n * SECOND),
)
lengths = st.sampled_from([1, 2, 5, 13, 100]).map(lambda n: n * SECOND)


def frame_of(rows):
    """Events as a frame, with an increasing source key; where it is given, how late each was written."""
    return pl.DataFrame(
        [(*k, ts, i, x, n, s, f, ts + sum(late, timedelta(0))) for i, (k, ts, x, n, s, f, *late) in enumerate(rows)],
        schema=EVENTS,
        orient="row",
    )


@settings(max_examples=80, deadline=None)
@given(
    st.lists(event, min_size=12, max_size=40) | st.lists(event, max_size=3),
    st.lists(st.tuples(keys | st.just(("new", 9)), moments | st.none()), max_size=15),
    st.lists(lengths, min_size=1, max_size=2, unique=True),
    st.sampled_from([None, 7 * SECOND, timedelta(minutes=1)]),
    st.sampled_from([0, 3, 11]),
    st.sampled_from([("a",), ("b",), ("a", "b")]),
    st.sampled_from([{}, {}, {"resolution": 4 * SECOND}, {"ingest_time": "written"}])
    | st.just({"ingest_time": "written", "allowed_lateness": 5 * SECOND, "resolution": 3 * SECOND}),
    st.randoms(use_true_random=False),
)
def test_features_equal_the_oracle(rows, asked, windows, refresh, delay, entity, options, random):
    """Every function over every window equals its definition, whatever the order of events and queries."""
    group = WindowGroup(
        "g", entity, "log", "ts", (*windows, None), AGGREGATES, refresh, delay * SECOND, key=("id",), **options
    )
    events = frame_of(rows)
    order = list(range(len(rows)))
    random.shuffle(order)
    queries = pl.DataFrame([(*k, t) for k, t in asked], schema=QUERIES, orient="row")
    ours = window_features(events[order], queries, group)
    assert ours.columns == list(column_names(group))
    assert len(ours) == len(queries)
    log = events.to_dicts()
    for query, row in zip(queries.to_dicts(), ours.rows(), strict=True):
        expected = oracle(log, query, group)
        wrong = [(name, a, b) for name, a, b in zip(ours.columns, row, expected, strict=True) if not same(a, b)]
        assert not wrong


def stream(values, windows=(None,), functions=("sum", "mean", "std", "min", "max"), dtype=pl.Float64):
    """One key, one event a second, each asking just after itself."""
    times = [START + i * SECOND for i in range(len(values))]
    events = pl.DataFrame(
        {"k": [1] * len(values), "ts": times, "x": values},
        schema={"k": pl.Int64, "ts": pl.Datetime("us", "UTC"), "x": dtype},
    )
    group = WindowGroup("g", ("k",), "log", "ts", windows, tuple(Aggregate(f, f, "x") for f in functions))
    return window_features(events, events.with_columns(pl.col("ts") + SECOND), group)


def test_small_values_survive_a_huge_one():
    """A sum over values after 1e15 (and 1e300) is as exact as if those had never been there."""
    values = [1e15, *[1e-3 * i for i in range(1, 200)], 1e300, *[0.1] * 50]
    out = stream(values, (5 * SECOND,))
    for i in range(len(values)):
        window = values[max(0, i - 4) : i + 1]
        assert math.isclose(out["sum_5s"][i], math.fsum(window), rel_tol=1e-12)
        assert (out["std_5s"][i] is None) == (len(window) < 2)
    assert out["std_5s"][-1] == 0.0


def test_deviation_of_values_far_from_zero():
    """The standard deviation keeps nine digits where values are large and close together."""
    values = [1e9 + i % 7 * 1e-3 for i in range(300)]
    out = stream(values, (20 * SECOND, None))
    for i in range(1, 300):
        assert math.isclose(out["std_20s"][i], deviation(values[max(0, i - 19) : i + 1]), rel_tol=1e-9)
        assert math.isclose(out["std_lifetime"][i], deviation(values[: i + 1]), rel_tol=1e-9)


def test_edges_of_a_window():
    """An event exactly at the window's start counts, one exactly at its end does not."""
    events = pl.DataFrame(
        {"k": ["c"] * 3, "ts": [START, START + SECOND, START + 2 * SECOND]},
        schema_overrides={"ts": pl.Datetime("us", "UTC")},
    )
    group = WindowGroup("g", ("k",), "log", "ts", (2 * SECOND,), (Aggregate("n", "count"),))
    asked = pl.DataFrame(
        {"k": "c", "ts": [START, START + 2 * SECOND, START + 2 * SECOND + timedelta(microseconds=1)]},
        schema_overrides={"ts": pl.Datetime("us", "UTC")},
    )
    assert window_features(events, asked, group)["n_2s"].to_list() == [0, 2, 2]


def test_threads_and_order_do_not_change_a_bit():
    """One thread, many threads and a shuffled log give identical bytes."""
    n = 200_000
    events = pl.select(
        k=pl.int_range(n) * 7919 % 601,
        ts=(pl.int_range(n) * 104_729 % 1_000_003 * 1_000_000).cast(pl.Datetime("us", "UTC")),
        id=pl.int_range(n),
        x=(pl.int_range(n) * 0.37).sin(),
    )
    group = WindowGroup(
        "g",
        ("k",),
        "log",
        "ts",
        (timedelta(hours=30), None),
        tuple(Aggregate(f, f, "x") for f in ("sum", "std", "last", "count_distinct")),
        key=("id",),
    )
    queries = events.head(5000)
    one = window_features(events, queries, group, threads=1)
    assert one.equals(window_features(events, queries, group, threads=3))
    assert one.equals(window_features(events.sample(fraction=1.0, shuffle=True, seed=5), queries, group))


def test_materialised_rows_equal_asking_each_key():
    """Materialising as of a moment gives each key seen by then the row that a query at that moment gets."""
    rows = [
        ((a, b), START + i * SECOND, float(i), i, "u", True)
        for i, (a, b) in enumerate([("p", 1), ("p", 2), ("q", 1), (None, 1), ("p", 1), ("late", 1)])
    ]
    events = frame_of(rows)
    group = WindowGroup("g", ("a", "b"), "log", "ts", (3 * SECOND, None), AGGREGATES, delay=SECOND, key=("id",))
    as_of = START + 6 * SECOND
    made = materialise(events, group, as_of)
    assert made.select("a", "b").rows() == [("p", 1), ("p", 2), ("q", 1)]
    asked = made.select("a", "b").with_columns(ts=pl.lit(as_of).cast(pl.Datetime("us", "UTC")))
    assert made.drop("a", "b").equals(window_features(events, asked, group))


def test_later_events_change_nothing():
    """Rows planted after a query's moment leave its features as they were."""
    rows = [(("p", 1), START + i * SECOND, 1.5 * i, i, "v", False) for i in range(20)]
    group = WindowGroup("g", ("a",), "log", "ts", (5 * SECOND, None), AGGREGATES, key=("id",))
    queries = pl.DataFrame([("p", 1, START + 10 * SECOND)], schema=QUERIES, orient="row")
    assert window_features(frame_of(rows), queries, group).equals(window_features(frame_of(rows[:10]), queries, group))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(event, min_size=2, max_size=20),
    st.data(),
    st.booleans(),
)
def test_a_source_key_counts_once(rows, data, bitemporal):
    """Rows with a source key that came before change nothing: the first written counts, or the first in the log."""
    once = frame_of(rows)
    again = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=6))
    later = once[again].with_columns(
        pl.col("written") + SECOND, x=pl.lit(7.0), ts=pl.col("ts") - SECOND, s=pl.lit("again")
    )
    group = WindowGroup(
        "g", ("a",), "log", "ts", (5 * SECOND, None), AGGREGATES, key=("id",),
        ingest_time="written" if bitemporal else None,
    )  # fmt: skip
    queries = once.select("a", "ts").with_columns(pl.col("ts") + SECOND)
    log = pl.concat([later, once]) if bitemporal else pl.concat([once, later])
    assert window_features(log, queries, group).equals(window_features(once, queries, group))


def test_no_events_and_no_queries():
    """Empty logs give empty windows, no queries give no rows; columns keep their types."""
    group = WindowGroup("g", ("a", "b"), "log", "ts", (SECOND, None), AGGREGATES)
    queries = pl.DataFrame([("p", 1, START)], schema=QUERIES, orient="row")
    empty = window_features(frame_of([]), queries, group)
    assert all(value in (0, None, []) for value in empty.row(0))
    assert window_features(frame_of([]), queries.head(0), group).schema == empty.schema


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda e, q: (e.drop("x"), q), "E6202"),
        (lambda e, q: (e, q.drop("a")), "E6202"),
        (lambda e, q: (e.with_columns(pl.col("ts").dt.replace_time_zone(None)), q), "E6203"),
        (lambda e, q: (e.with_columns(ts=pl.lit(None, pl.Datetime("us", "UTC"))), q), "E6203"),
        (lambda e, q: (e, q.with_columns(a=pl.lit(3))), "E6203"),
        (lambda e, q: (e.with_columns(x=pl.lit("text")), q), "E6204"),
        (lambda e, q: (e.with_columns(x=pl.lit([1.0])), q), "E6204"),
        (lambda e, q: (e.with_columns(n=pl.lit(2**62)), q), "E6205"),
    ],
)
def test_unfit_data_is_refused(change, code):
    """A missing column, a wrong type of time, key or value and a sum that may overflow are refused by code."""
    events = frame_of([(("p", 1), START, 1.0, 1, "u", True)] * 3)
    queries = pl.DataFrame([("p", 1, START)], schema=QUERIES, orient="row")
    group = WindowGroup("g", ("a",), "log", "ts", (SECOND,), AGGREGATES)
    with pytest.raises(RunError) as caught:
        window_features(*change(events, queries), group)
    assert caught.value.diagnostics[0].code == code


def test_late_events_are_counted(tmp_path, capsys):
    """What was written later than allowed is left out of the rows, and said."""
    rows = [
        (("p", 1), START, 1.0, 1, "u", True, timedelta(0)),
        (("p", 1), START, 1.0, 1, "u", True, timedelta(hours=2)),
    ]
    group = WindowGroup(
        "g", ("a",), "log", "ts", (None,), (Aggregate("n", "count"),), key=("id",), ingest_time="written",
        allowed_lateness=timedelta(hours=1),
    )  # fmt: skip
    made = materialise_all([(group, frame_of(rows))], START + timedelta(days=1))
    write_groups(made, Workspace(tmp_path), system="s", features="f")
    assert made[0].rows["n_lifetime"].to_list() == [1]
    assert "g: 1 rows as of 2024-01-02 00:00 UTC; 1 events were written too late to count" in capsys.readouterr().out
