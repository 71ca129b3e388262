"""A log that is worked on a bucket at a time gives what it gives in memory, and leaves nothing behind."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features import out_of_core, spill
from mlsd_framework.runtime.features.offline import materialise, window_features
from mlsd_framework.runtime.features.out_of_core import materialise_from, window_features_from, write_window_features
from mlsd_framework.runtime.features.windows import WindowGroup
from tests.runtime.features.awkward_log import AGGREGATES, SECOND, START, log, questions

SMALL = 100_000  # bytes: a dozen buckets of the logs here


def group_of(entity=("card",), **changes):
    """Every aggregate over two windows and a lifetime."""
    return WindowGroup("g", entity, "log", "ts", (2 * SECOND, 13 * SECOND, None), AGGREGATES, **changes)


@pytest.fixture
def few_rows_at_a_time(monkeypatch):
    """Deal rows out in many batches."""
    monkeypatch.setattr(spill, "BATCH", 64)


@settings(max_examples=15, deadline=None)
@given(
    rows=st.sampled_from([0, 1, 700]),
    asked=st.sampled_from([0, 1, 300]),
    seed=st.integers(0, 1000),
    memory=st.sampled_from([1, 30_000, SMALL, None]),
    entity=st.sampled_from([("card",), ("shop",), ("card", "shop")]),
    changes=st.sampled_from(
        [
            {"key": ("id",)},
            {},
            {"refresh": 7 * SECOND, "delay": 3 * SECOND, "key": ("id",)},
            {"ingest_time": "written", "allowed_lateness": 20 * SECOND, "key": ("id",)},
            {"resolution": 5 * SECOND, "key": ("id",)},
        ]
    ),
)
def test_values_are_those_in_memory(rows, asked, seed, memory, entity, changes):
    """Whatever the memory, every value is the same to the bit, in the order of the queries; ties too."""
    events, queries, group = log(rows, seed), questions(asked, seed + 1), group_of(entity, **changes)
    expected = window_features(events, queries, group)
    made = window_features_from(events, queries, group, memory=memory)
    assert made.equals(expected)
    assert made.schema == expected.schema


@pytest.mark.usefixtures("few_rows_at_a_time")
def test_files_are_read_and_written_in_parts(tmp_path):
    """Parquet files in, one Parquet file out; batches of a few rows; ties without a key keep the order of the log."""
    events, queries, group = log(900, 1), questions(500, 2), group_of()
    paths = [tmp_path / f"{at}.parquet" for at in range(3)]
    for at, path in enumerate(paths):
        events[300 * at : 300 * (at + 1)].write_parquet(path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    out = tmp_path / "out.parquet"
    write_window_features(paths, queries.lazy(), group, out, memory=SMALL, folder=scratch)
    assert pl.read_parquet(out).equals(window_features(events, queries, group))
    assert list(scratch.iterdir()) == []


def test_categories_and_widths_of_keys_meet():
    """A key that is a category on both sides, and an integer of two widths, find their events."""
    group = group_of(("card", "shop"), key=("id",))
    as_category = pl.col("card", "s").cast(pl.Categorical)
    events = log(700, 3).with_columns(as_category, pl.col("shop").cast(pl.Int32))
    queries = questions(300, 4).with_columns(pl.col("card").cast(pl.Categorical))
    made = window_features_from(events, queries, group, memory=SMALL)
    assert made.equals(window_features(events, queries, group))


def test_materialised_rows_are_those_in_memory():
    """Each key seen by the moment has its row, in order of appearance, from many buckets and from one."""
    events, group, moment = (
        log(900, 5),
        group_of(("card", "shop"), key=("id",), delay=SECOND),
        START + timedelta(seconds=30),
    )
    made = materialise_from(events, group, moment, memory=SMALL)
    assert made.equals(materialise(events, group, moment))
    assert materialise_from(events.lazy(), group, moment).equals(made)


def test_small_logs_stay_in_memory(tmp_path, monkeypatch):
    """What fits is not written to disk."""
    monkeypatch.setattr(out_of_core, "dealt", None)
    events, queries = log(50, 6), questions(20, 7)
    made = window_features_from(events, queries, group_of(key=("id",)), folder=tmp_path / "none")
    assert made.equals(window_features(events, queries, group_of(key=("id",))))


@pytest.mark.parametrize("failing", ["window_features", "dealt"])
def test_nothing_is_left_after_a_fault(tmp_path, monkeypatch, failing):
    """A fault while buckets are computed, or while they are written, removes the temporary files."""
    events, queries, group = log(700, 8), questions(200, 9), group_of(key=("id",))
    calls = []
    real = getattr(out_of_core, failing)

    def fails_later(*arguments, **named):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("disk full")
        return real(*arguments, **named)

    monkeypatch.setattr(out_of_core, failing, fails_later)
    with pytest.raises(OSError, match="disk full"):
        window_features_from(events, queries, group, memory=SMALL, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda e, q: (e.drop("x"), q), "E6202"),
        (lambda e, q: (e, q.drop("card")), "E6202"),
        (lambda e, q: (e.with_columns(pl.col("ts").dt.replace_time_zone(None)), q), "E6203"),
        (lambda e, q: (e, q.with_columns(card=pl.lit(3))), "E6203"),
        (lambda e, q: (e.with_columns(x=pl.lit("text")), q), "E6204"),
    ],
)
def test_unfit_data_is_refused_before_it_is_read(tmp_path, change, code):
    """A missing column and a wrong type are refused by the schema, before anything is written."""
    events, queries = change(log(500, 1), questions(100, 1))
    with pytest.raises(RunError) as caught:
        window_features_from(events, queries, group_of(key=("id",)), memory=SMALL, folder=tmp_path / "none")
    assert caught.value.diagnostics[0].code == code


def test_a_part_keeps_its_rows_in_order(tmp_path):
    """Rows of a part come back as they were dealt, batch after batch; a part without rows is empty; files go."""
    columns = pl.DataFrame(schema={"v": pl.Int64})
    with spill.Parts(tmp_path, "numbers", columns) as parts:
        for start in range(0, 30, 10):
            parts.deal(pl.DataFrame({"v": range(start, start + 10)}).with_columns(pl.col("v").mod(3).alias(spill.PART)))
    assert parts.read(1)["v"].to_list() == list(range(1, 30, 3))
    assert parts.read(7).equals(columns)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["numbers-0.arrows", "numbers-2.arrows"]
