"""The point-in-time join against a brute-force oracle: ties, late rows, nulls, ages, composite keys."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.feast.point_in_time import Moments, in_utc, known_rows, latest_rows

START = datetime(2024, 1, 1, tzinfo=UTC)
TIMES = st.none() | st.integers(0, 6)
ROWS = st.lists(st.tuples(st.sampled_from([1, 2, None]), st.sampled_from(["a", "b", None]), TIMES, TIMES), max_size=12)
ASKED = st.lists(st.tuples(st.sampled_from([1, 2, 3, None]), st.sampled_from(["a", "b", None]), TIMES), max_size=8)


def frame(rows, names):
    """Rows as a frame; times are microseconds after the start."""
    schema = {"k": pl.Int64, "s": pl.String} | dict.fromkeys(names, pl.Int64)
    times = [(pl.lit(START) + pl.duration(microseconds=name)).alias(name) for name in names]
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(times)


def oracle(rows, question, ttl, created_by_then):
    """The number of the row that a question sees, by going through all."""
    k, s, at = question
    best = None
    for i, (rk, rs, event, created) in enumerate(rows):
        if None in (k, s, at, event) or (rk, rs) != (k, s) or event > at or (ttl and event < at - ttl):
            continue
        if created_by_then and created is not None and created > at:
            continue
        if best is None or (event, -1 if created is None else created, i) > best[0]:
            best = ((event, -1 if created is None else created, i), i)
    return best and best[1]


@settings(max_examples=300, deadline=None)
@given(ROWS, ASKED, st.none() | st.integers(1, 3), st.booleans(), st.booleans())
def test_each_question_sees_what_was_known(rows, asked, ttl, created_by_then, has_created):
    """Every question, with null keys and duplicates, gets the newest row of its key that was known, or none."""
    if not has_created:
        rows = [(*row[:3], None) for row in rows]
    found = known_rows(
        frame(rows, ["event", "created"]),
        frame(asked, ["at"]),
        ["k", "s"],
        Moments("event", "created" if has_created else None),
        "at",
        ttl=ttl and timedelta(microseconds=ttl),
        created_by_then=created_by_then and has_created,
    )
    assert found.to_list() == [oracle(rows, question, ttl, created_by_then and has_created) for question in asked]


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_the_latest_row_of_a_key(rows):
    """The newest row of every key stays: by event, then creation, then order."""
    found = latest_rows(frame(rows, ["event", "created"]).with_row_index("i"), ["k", "s"], Moments("event", "created"))
    best = {}
    for i, (k, s, event, created) in enumerate(rows):
        rank = (-1 if event is None else event, -1 if created is None else created, i)
        best[k, s] = max(best.get((k, s), rank), rank)
    assert {(row["k"], row["s"]): row["i"] for row in found.to_dicts()} == {key: rank[2] for key, rank in best.items()}


def test_without_a_key_the_newest_of_all():
    """A source without keys has one row at a moment."""
    rows = frame([(1, "a", 1, None), (2, "b", 3, None)], ["event", "created"])
    asked = frame([(1, "a", at) for at in (0, 2, 3)], ["at"])
    assert known_rows(rows, asked, [], Moments("event"), "at").to_list() == [None, 0, 1]


def test_units_and_zones():
    """Times of all units and zones are one scale; nanoseconds are not rounded away."""
    at = datetime(2024, 1, 1, 12)  # noqa: DTZ001 - a time without a zone is the case
    berlin = pl.Series([at]).dt.replace_time_zone("Europe/Berlin").cast(pl.Datetime("ms", "Europe/Berlin"))
    for given_times, hour in ((pl.Series([at]), 12), (berlin, 11), (pl.Series(["2024-01-01T13:00:00+02:00"]), 11)):
        read = given_times.to_frame("t").select(in_utc("t", given_times.dtype)).item()
        assert read == datetime(2024, 1, 1, hour, tzinfo=UTC)
    nano = pl.DataFrame({"event": pl.Series([5]).cast(pl.Datetime("ns", "UTC")), "k": [1]})
    asked = pl.DataFrame({"at": pl.Series([4, 5]).cast(pl.Datetime("ns", "UTC")), "k": [1, 1]})
    assert known_rows(nano, asked, ["k"], Moments("event"), "at").to_list() == [None, 0]
    with pytest.raises(RunError) as caught:
        in_utc("t", pl.Int64())
    assert caught.value.diagnostics[0].code == "E6203"
