"""Reading features of many keys as columns: the values that reading them row by row gives, from a real Valkey."""

import itertools
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
import valkey
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.dtypes import Dtype, Value
from mlsd_framework.runtime.features.keys import KeyPart, encode_key
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.publishing import publishing
from mlsd_framework.runtime.features.row_reads import default_columns, read_columns
from mlsd_framework.runtime.features.windows import Aggregate, FeatureColumn, WindowGroup
from mlsd_framework.runtime.state.layout import StateLayout

pytestmark = pytest.mark.process

AS_OF = datetime(2024, 5, 1, tzinfo=UTC)
AT = round(AS_OF.timestamp() * 1e6)
SOLD = StateLayout(
    WindowGroup(
        name="sold",
        entity=("item",),
        source="sales",
        event_time="at",
        windows=(timedelta(days=1), None),
        aggregates=(Aggregate("n", "count"), Aggregate("last", "last_n", "price", n=3)),
        key=("sale",),
    ),
    {"sale": "int64", "price": "float64"},
)
FIXED: dict[Dtype, st.SearchStrategy[Any]] = {
    "float64": st.floats(),
    "float32": st.floats(width=32),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "bool": st.booleans(),
    "timestamp": st.integers(-(2**63), 2**63 - 1),
}
SCALARS = FIXED | {"string": st.text(max_size=8), "bytes": st.binary(max_size=8)}
VALUES: dict[Any, st.SearchStrategy[Any]] = SCALARS | {
    f"list<{name}>": st.lists(st.none() | values, max_size=3).map(tuple) for name, values in SCALARS.items()
}
PARTS = (
    st.integers(-(2**40), 2**40),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.booleans(),
    st.binary(max_size=4),
)


class Stored(NamedTuple):
    """A published store, and a plain client beside it that writes what it likes."""

    store: OnlineStore
    raw: valkey.Valkey
    generation: bytes

    def put(self, layout: RowLayout, rows: dict[tuple[KeyPart, ...], bytes]) -> None:
        """Write packed rows under their keys."""
        prefix = self.store.rows_prefix(self.generation, layout.group)
        for key, row in rows.items():
            self.raw.set(prefix + (encode_key(key) or b""), row)


@pytest.fixture(scope="module")
def stored(valkey_path: Path) -> Iterator[Stored]:
    """A store of one generation and one live group."""
    names = {"system": "rows", "features": "f1"}
    store = OnlineStore.connect(
        f"unix://{valkey_path}", layouts=[RowLayout("none", ())], live=[SOLD], timeout=5.0, **names
    )
    raw = valkey.Valkey(unix_socket_path=str(valkey_path))
    with publishing(store, AS_OF) as generation:
        pass
    events = pl.DataFrame(
        {"item": [1, 1, 2], "sale": [1, 2, 3], "price": [1.5, None, 2.5], "at": [AS_OF - timedelta(hours=30)] * 3}
    ).with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")))
    live = LiveNames(**names)
    for key, state in zip(*SOLD.blocks(events), strict=True):
        raw.set(live.states(b"1", "sold") + key, state)
    raw.set(live.live, b"1")
    yield Stored(store, raw, generation.name)
    store.close()
    raw.close()


GROUPS = itertools.count()


@st.composite
def tables(draw: st.DrawFn, kinds: dict[Any, st.SearchStrategy[Any]]) -> tuple[RowLayout, dict[Any, Any], list[Any]]:
    """Draw a layout, rows by key, and keys to ask for: some of them twice, some never written, some with a null."""
    dtypes = draw(
        st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=8) | st.just([*sorted(kinds)] * 9)  # over 64
    )
    columns = tuple(
        FeatureColumn(f"c{place}", dtype, draw(st.none() | kinds[dtype])) for place, dtype in enumerate(dtypes)
    )
    parts = [draw(st.sampled_from(PARTS)) for _ in range(draw(st.integers(1, 2)))]
    layout = RowLayout(f"g{next(GROUPS)}", columns, tuple(f"k{part}" for part in range(len(parts))))
    keys = draw(st.lists(st.tuples(*parts), max_size=6, unique=True))
    rows = {key: draw(st.tuples(*(st.none() | kinds[dtype] for dtype in dtypes))) for key in keys}
    asked = draw(st.lists(st.tuples(*(st.none() | part for part in parts)) | st.sampled_from(keys or [()]), max_size=8))
    return layout, rows, [key for key in asked if key]


def expected(dtype: Dtype, values: list[Value]) -> list[Value]:
    """Return what a column of these values is: numbers as floats with NaN for null."""
    if dtype not in FIXED:
        return values
    return [math.nan if value is None else float(value) for value in values]  # type: ignore[arg-type] # numbers


def same(one: object, other: object) -> bool:
    """Whether values are of one type and equal, NaN to NaN and -0.0 not to 0.0."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


def check(stored: Stored, layout: RowLayout, keys: list[tuple[KeyPart, ...]]) -> None:
    """Assert that columns are those of reading the keys one by one."""
    parts: list[Any] = [list(part) for part in zip(*keys, strict=True)] or [[] for _ in layout.entity]
    found = read_columns(stored.store, [(layout.group, parts)], len(keys))
    rows = stored.store.read([(layout.group, key) for key in keys])
    assert list(found) == [f"{layout.group}.{column.name}" for column in layout.columns]
    for place, (column, values) in enumerate(zip(layout.columns, found.values(), strict=True)):
        assert values.dtype == (np.float64 if column.dtype in FIXED else object)
        wanted = expected(column.dtype, [row[place] for row in rows])
        assert len(values) == len(wanted)
        assert all(map(same, values.tolist(), wanted)), (column.dtype, values, wanted)


@given(table=tables(VALUES))
@settings(max_examples=60, deadline=None)
def test_columns_are_the_rows_read_one_by_one(
    table: tuple[RowLayout, dict[Any, Any], list[Any]], stored: Stored
) -> None:
    """Every mixture of types, nulls, NaN, keys unknown, asked twice or with a null gives the values of single reads."""
    layout, rows, keys = table
    stored.store.add(layout)
    stored.put(layout, {key: layout.pack(row) for key, row in rows.items()})
    check(stored, layout, keys)


@given(table=tables(FIXED))
@settings(max_examples=30, deadline=None)
def test_columns_of_numbers_alone_are_the_rows_read_one_by_one(
    table: tuple[RowLayout, dict[Any, Any], list[Any]], stored: Stored
) -> None:
    """Rows that are all of one size give the values of single reads."""
    layout, rows, keys = table
    stored.store.add(layout)
    stored.put(layout, {key: layout.pack(row) for key, row in rows.items()})
    check(stored, layout, keys)


PRICE = RowLayout("price", (FeatureColumn("n", "int64", 0), FeatureColumn("x", "float64")), ("item",))
BRAND = RowLayout("brand", (FeatureColumn("n", "int64"), FeatureColumn("name", "string")), ("item",))
PAIR = RowLayout("pair", (FeatureColumn("n", "int64", 7),), ("user", "item"))


def test_groups_of_several_keys_and_live_ones_come_in_one_read(stored: Stored) -> None:
    """Rows, rows by user and item, and states finished at the moment stand side by side."""
    for layout, rows in (
        (PRICE, {(1,): (5, None), (2,): (6, 0.5)}),
        (PAIR, {("ann", 2): (1,), ("bob", 1): (2,)}),
    ):
        stored.store.add(layout)
        stored.put(layout, {key: layout.pack(row) for key, row in rows.items()})
    items: list[KeyPart] = [2, 1, 3]
    found = read_columns(
        stored.store, [("price", (items,)), ("pair", ("ann", items)), ("sold", (items,))], 3, 5.0, at=AT
    )
    assert {name: column.tolist() for name, column in found.items() if name != "price.x"} == {
        "price.n": [6, 5, 0],
        "pair.n": [1, 7, 7],
        "sold.n_1d": [0, 0, 0],
        "sold.n_lifetime": [1, 2, 0],
        "sold.last_1d": [(), (), ()],
        "sold.last_lifetime": [(2.5,), (1.5,), ()],
    }
    np.testing.assert_array_equal(found["price.x"], [0.5, np.nan, np.nan])
    absent = default_columns(stored.store, ["price", "sold"], 2)
    assert {name: column.tolist() for name, column in absent.items() if name != "price.x"} == {
        "price.n": [0, 0],
        "sold.n_1d": [0, 0],
        "sold.n_lifetime": [0, 0],
        "sold.last_1d": [(), ()],
        "sold.last_lifetime": [(), ()],
    }


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_changed_bytes_are_never_misread(data: st.DataObject, stored: Stored) -> None:
    """A flipped bit, a cut and an added byte anywhere in one of many rows are refused."""
    layout = data.draw(st.sampled_from([PRICE, BRAND]))
    stored.store.add(layout)
    row = layout.pack((3, 2.5 if layout is PRICE else "é"))
    kind = data.draw(st.sampled_from(["flip", "cut", "add"]))
    at = data.draw(st.integers(0, len(row) - 1))
    changed = {
        "flip": row[:at] + bytes([row[at] ^ 1 << data.draw(st.integers(0, 7))]) + row[at + 1 :],
        "cut": row[:at],
        "add": row + b"\0",
    }[kind]
    stored.put(layout, {(10,): row, (11,): changed, (12,): row})
    with pytest.raises(RunError, match="E6212"):
        read_columns(stored.store, [(layout.group, ([10, 11, 12],))], 3)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\0" * 16 + (4).to_bytes(8, "little") + b"\0" * 12, "E6212"),  # a null of a third column
        (b"\0" * 24 + b"\0" * 8 + b"\1\0\0\0\xff", "E6212"),  # no text
        (b"\0" * 24 + b"\0" * 8 + b"\2\0\0\0a", "E6212"),  # shorter than it says
        (None, "E6211"),  # another group's
    ],
)
def test_rows_that_say_something_else_are_refused(stored: Stored, body: bytes | None, code: str) -> None:
    """A row whose checksum is right and whose content is not is refused as it is by itself."""
    stored.store.add(BRAND)
    row = BRAND.sealed(body) if body is not None else PAIR.pack((1,))
    stored.put(BRAND, {(1,): BRAND.pack((1, "a")), (2,): row})
    with pytest.raises(RunError, match=code):
        read_columns(stored.store, [("brand", ([1, 2],))], 2)


@pytest.mark.parametrize(
    ("group", "parts"), [("pair", ([1],)), ("brand", ([1.5],)), ("brand", ([1, "\ud800"],)), ("brand", ("a", [1]))]
)
def test_keys_that_no_row_can_have_are_refused(stored: Stored, group: str, parts: Any) -> None:
    """A key of the wrong number of parts, or of a type that keys do not have, is a fault: E6226."""
    stored.store.add(PAIR)
    stored.store.add(BRAND)
    with pytest.raises(RunError, match="E6226"):
        read_columns(stored.store, [(group, parts)], len(parts[-1]))
