"""Table features as of a moment, against a brute-force oracle."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.asof import column_features, current_rows
from mlsd_framework.runtime.features.columns import ColumnGroup

START = datetime(2024, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TIME = pl.Datetime("us", "UTC")
TABLE = {
    "a": pl.String,
    "b": pl.Int64,
    "from": TIME,
    "to": TIME,
    "id": pl.Int64,
    "tier": pl.String,
    "limit": pl.Float64,
    "written": TIME,
}

moments = st.integers(0, 12).map(lambda n: START + n * SECOND)
keys = st.tuples(st.sampled_from(["p", "p", "q", None]), st.sampled_from([1, 1, 2, None]))
rows = st.lists(
    st.tuples(keys, moments | st.none(), moments | st.none(), st.sampled_from(["gold", "basic", None]), moments),
    max_size=20,
)


def table_of(drawn):
    """A table with an increasing source key."""
    return pl.DataFrame(
        [
            (*k, begin, end, i, tier, i / 2, *(written or (START,)))
            for i, (k, begin, end, tier, *written) in enumerate(drawn)
        ],
        schema=TABLE,
        orient="row",
    )


def oracle(table, query, group):
    """The newest row that has begun; nothing where that one has ended."""
    as_of = query["t"]
    if as_of is None or None in [query[k] for k in group.entity]:
        return (None, None)
    if group.refresh is not None:
        as_of -= (as_of - datetime(1970, 1, 1, tzinfo=UTC)) % group.refresh
    early = datetime.min.replace(tzinfo=UTC)
    begun = [
        r
        for r in table
        if all(r[k] == query[k] for k in group.entity)
        and (group.valid_from is None or (r["from"] or early) <= as_of)
        and (group.ingest_time is None or r["written"] <= as_of)
    ]
    newest = max(
        begun, key=lambda r: (early if group.valid_from is None else r["from"] or early, r["id"]), default=None
    )
    if newest is None or (group.valid_to and newest["to"] is not None and as_of >= newest["to"]):
        return (None, None)
    return (newest["tier"], newest["limit"])


@settings(max_examples=150, deadline=None)
@given(
    rows,
    st.lists(st.tuples(keys | st.just(("new", 1)), moments | st.none()), max_size=12),
    st.sampled_from([("a",), ("b",), ("a", "b")]),
    st.sampled_from([("from", None), ("from", "to"), (None, None)]),
    st.sampled_from([None, 5 * SECOND]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_rows_equal_the_oracle(drawn, asked, entity, validity, refresh, bitemporal, random):
    """Each query gets the newest valid row of its key, whatever the table's order; no query is lost."""
    written = "written" if bitemporal and validity[0] else None
    group = ColumnGroup("g", entity, "t", ("tier", "limit"), *validity, refresh, key=("id",), ingest_time=written)
    table = table_of(drawn)
    order = list(range(len(drawn)))
    random.shuffle(order)
    queries = pl.DataFrame([(*k, t) for k, t in asked], schema={"a": pl.String, "b": pl.Int64, "t": TIME}, orient="row")
    ours = column_features(table[order], queries, group, time="t")
    assert ours.rows() == [oracle(table.to_dicts(), query, group) for query in queries.to_dicts()]


def test_the_last_row_wins_without_a_key():
    """Of rows valid from one moment the last in the table is seen, over many repeats."""
    table = table_of([(("p", 1), START, None, f"v{i}") for i in range(200)])
    queries = pl.DataFrame({"a": ["p"] * 3, "t": [START] * 3}, schema_overrides={"t": TIME})
    group = ColumnGroup("g", ("a",), "t", ("tier",), "from")
    assert column_features(table, queries, group, time="t")["tier"].to_list() == ["v199"] * 3


def test_current_rows_are_what_a_query_gets():
    """Rows for the online store are those that a query at that moment sees; a key that begins later has none."""
    table = table_of(
        [
            (("p", 1), START, None, "old"),
            (("p", 1), START + SECOND, None, "new"),
            (("q", 1), START + 9 * SECOND, None, "later"),
            ((None, 1), START, None, "x"),
        ]
    )
    group = ColumnGroup("g", ("a", "b"), "t", ("tier", "b"), "from")
    now = current_rows(table, group, START + 2 * SECOND)
    assert now.rows() == [("p", 1, "new")]


@pytest.mark.parametrize(
    "change", [{"columns": ()}, {"entity": ()}, {"columns": ("x", "x")}, {"valid_to": "to"}, {"refresh": timedelta(0)}]
)
def test_meaningless_groups_are_refused(change):
    """A group without key or column, with a column twice, an end without a beginning or no refresh is refused."""
    with pytest.raises(RunError) as caught:
        ColumnGroup(**{"name": "g", "entity": ("a",), "source": "t", "columns": ("x",)} | change)
    assert caught.value.diagnostics[0].code == "E6201"
