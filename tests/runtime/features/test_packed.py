"""Packed rows: what goes in comes out, and bytes that are not those written are refused."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.packed import EARLIEST, RowLayout, moments
from mlsd_framework.runtime.features.windows import FeatureColumn

INT64 = st.integers(-(2**63), 2**63 - 1)
VALUES = {
    "float64": st.floats(),
    "float32": st.floats(width=32),
    "int64": INT64,
    "int32": st.integers(-(2**31), 2**31 - 1),
    "bool": st.booleans(),
    "timestamp": INT64,
    "string": st.text(max_size=20),
    "bytes": st.binary(max_size=20),
}
POLARS = {
    "float64": pl.Float64,
    "float32": pl.Float32,
    "int64": pl.Int64,
    "int32": pl.Int32,
    "bool": pl.Boolean,
    "timestamp": pl.Datetime("us", "UTC"),
    "string": pl.String,
    "bytes": pl.Binary,
}
for name in list(VALUES):
    VALUES[f"list<{name}>"] = st.lists(st.none() | VALUES[name], max_size=10).map(tuple)
    POLARS[f"list<{name}>"] = pl.List(POLARS[name])
RAW = {"timestamp": pl.Int64, "list<timestamp>": pl.List(pl.Int64)}
dtypes = st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=12) | st.just(
    ["float64"] * 63 + ["string", "int64"] * 3
)


@st.composite
def tables(draw):
    """A layout and rows that fit it."""
    kinds = draw(dtypes)
    layout = RowLayout("g", tuple(FeatureColumn(f"c{i}", kind) for i, kind in enumerate(kinds)), ("k",))
    return layout, draw(st.lists(st.tuples(*(st.none() | VALUES[kind] for kind in kinds)), max_size=4))


def same(a, b):
    """Equal, NaN to NaN."""
    return len(a) == len(b) and all(
        type(x) is type(y)
        and (
            same(x, y) if isinstance(x, tuple) else x == y or (isinstance(x, float) and math.isnan(x) and math.isnan(y))
        )
        for x, y in zip(a, b, strict=True)
    )


@settings(max_examples=60, deadline=None)
@given(tables())
def test_rows_come_back(table):
    """Every row of every mixture of types and nulls is unpacked as it was packed, alone and as part of a frame."""
    layout, rows = table
    packed = [layout.pack(row) for row in rows]
    assert all(same(layout.unpack(data), row) for data, row in zip(packed, rows, strict=True))
    assert all(data == layout.pack(layout.unpack(data)) for data in packed)
    columns = {
        c.name: pl.Series([row[i] for row in rows], dtype=RAW.get(c.dtype, POLARS[c.dtype])).cast(POLARS[c.dtype])
        for i, c in enumerate(layout.columns)
    }
    assert [
        same(layout.unpack(data), row) for data, row in zip(layout.pack_frame(pl.DataFrame(columns)), rows, strict=True)
    ] == [True] * len(rows)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_changed_bytes_are_never_misread(data):
    """A flipped bit, a cut and an added byte anywhere are refused."""
    layout = RowLayout("g", (FeatureColumn("a", "float64"), FeatureColumn("s", "string"), FeatureColumn("n", "int64")))
    row = layout.pack((1.5, "été", None))
    kind = data.draw(st.sampled_from(["flip", "cut", "add"]))
    at = data.draw(st.integers(0, len(row) - 1))
    changed = {
        "flip": row[:at] + bytes([row[at] ^ 1 << data.draw(st.integers(0, 7))]) + row[at + 1 :],
        "cut": row[:at],
        "add": row + b"\0",
    }[kind]
    with pytest.raises(RunError) as caught:
        layout.unpack(changed)
    assert caught.value.diagnostics[0].code == "E6212"


@pytest.mark.parametrize(
    "other",
    [
        RowLayout("h", (FeatureColumn("a", "float64"), FeatureColumn("b", "float64"))),
        RowLayout("g", (FeatureColumn("b", "float64"), FeatureColumn("a", "float64"))),
        RowLayout("g", (FeatureColumn("a", "float64"), FeatureColumn("b", "int64"))),
        RowLayout("g", (FeatureColumn("a", "float64"), FeatureColumn("b", "float64")), ("k",)),
    ],
)
def test_rows_of_another_layout_are_refused(other):
    """A row of another group, order, type or key has the right length and is still refused, as foreign."""
    layout = RowLayout("g", (FeatureColumn("a", "float64"), FeatureColumn("b", "float64")))
    with pytest.raises(RunError) as caught:
        layout.unpack(other.pack((1, 2)))
    assert caught.value.diagnostics[0].code == "E6211"


def test_a_missing_row_has_the_defaults():
    """No row: zero for counts, null for the rest."""
    layout = RowLayout("g", (FeatureColumn("n", "int64", 0), FeatureColumn("x", "float64")))
    assert layout.unpack(None) == (0, None)


@pytest.mark.parametrize(
    ("kinds", "row"),
    [
        (("float64", "int64"), (1.0,)),
        (("float64", "int64"), ("text", 1)),
        (("float64", "int64"), (1.0, 2**63)),
        (("float64", "int64"), (1.0, True)),
        (("float64", "int64"), (1.0, 1.5)),
        (("float64",), (10**400,)),
        (("float32",), (1e39,)),
        (("int32",), (2**31,)),
        (("string",), (b"x",)),
        (("string",), ("\ud800",)),
        (("bytes",), ("x",)),
        (("list<int64>",), (1,)),
        (("list<int64>",), ((1.5,),)),
        (("list<int64>",), ((True,),)),
        (("list<int32>",), ((2**31,),)),
        (("list<bool>",), (("x",),)),
        (("list<float32>",), ((1e39,),)),
        (("list<string>",), ((b"x",),)),
        (("list<bytes>",), ("xyz",)),
    ],
)
def test_values_that_do_not_fit_are_refused(kinds, row):
    """Too few values, and values of another type or size, items of lists too, are refused when they are packed."""
    layout = RowLayout("g", tuple(FeatureColumn(f"c{i}", kind) for i, kind in enumerate(kinds)))
    with pytest.raises(RunError) as caught:
        layout.pack(row)
    assert caught.value.diagnostics[0].code == "E6210"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(INT64, INT64), min_size=2, max_size=6))
def test_moments_come_back_and_order_rows(times):
    """A row's two moments are read back, and their bytes are in the order of time, negative times included."""
    layout = RowLayout("g", (FeatureColumn("x", "int64"),))
    alone = [layout.pack((1,), event, created) for event, created in times]
    event, created = (np.array(column) for column in zip(*times, strict=True))
    assert layout.pack_frame(pl.DataFrame({"x": [1] * len(times)}), event, created) == alone
    assert [moments(row) for row in alone] == times
    assert sorted(alone, key=lambda row: row[12:28]) == [row for _, row in sorted(zip(times, alone, strict=True))]
    assert moments(layout.pack((1,))) == (EARLIEST, EARLIEST)


@pytest.mark.parametrize(
    "frame",
    [{"x": [1.0]}, {"x": ["1"], "n": [1]}, {"x": [1.0], "n": [1.5]}, {"x": [[1.0]], "n": [1]}, {"x": [b"1"], "n": [1]}],
)
def test_frames_that_do_not_fit_are_refused(frame):
    """A frame that lacks a column or has one of another kind is refused."""
    layout = RowLayout("g", (FeatureColumn("x", "float64"), FeatureColumn("n", "int64")))
    with pytest.raises(RunError) as caught:
        layout.pack_frame(pl.DataFrame(frame))
    assert caught.value.diagnostics[0].code == "E6210"
