"""Encoding: what a value becomes, alike for a frame and for one request."""

import json
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.tabular.encoding import NULL, UNSEEN, RowEncoding
from mlsd_framework.runtime.tabular.features import Category, Embedding, Given, LastItems, Number
from mlsd_framework.runtime.towers.features import Towers
from mlsd_framework.runtime.towers.learning import item_codes, learn

USER = (Category("id", "ids"), LastItems("last", "goods", 3), Number("age"), Given("text", 2))
TOWERS = Towers(USER, (Category("item", "goods"),), (Embedding("ids", 4), Embedding("goods", 4)))
SCHEMA = {"id": pl.String, "last": pl.List(pl.Int64), "age": pl.Float64, "text": pl.List(pl.Float64)}
LEARNED = pl.DataFrame(
    {
        "id": ["b", "a", None],
        "last": [[7, 9], [], None],
        "age": [1.0, 3.0, None],
        "text": [[0.5, 1.0], None, [0.0, 0.0]],
    },
    schema=SCHEMA,
)
ENCODING = learn(TOWERS, LEARNED, pl.DataFrame({"item": [8, 9]}))


def test_null_and_unseen_values_have_codes_of_their_own() -> None:
    """Null is 0, an unseen value 1, values follow in order; a shared vocabulary has the values of both towers."""
    rows = ENCODING.user.encode(pl.DataFrame([{"id": one} for one in ("a", "b", None, "z")], schema=SCHEMA))
    assert rows.codes[:, 0].tolist() == [2, 3, NULL, UNSEEN]
    assert ENCODING.item.vocabularies["goods"].values == (7, 8, 9)
    assert ENCODING.item.encode(pl.DataFrame({"item": [7, 8, 10]})).codes[:, 0].tolist() == [2, 3, UNSEEN]


def test_numbers_are_standardised_and_nulls_flagged() -> None:
    """Mean 2 and deviation 1 were learned; null and NaN are 0 with the flag 1."""
    assert ENCODING.user.moments == {"age": (2.0, 1.0)}
    rows = ENCODING.user.encode(LEARNED.with_columns(age=pl.Series([5.0, math.nan, None])))
    assert rows.values[:, :2].tolist() == [[3.0, 0.0], [0.0, 1.0], [0.0, 1.0]]


def test_a_list_gives_its_last_items_newest_first() -> None:
    """Of five items, a null among them, the last three that are none count; short lists are filled with nulls."""
    frame = LEARNED.with_columns(last=pl.Series([[7, 8, 9, None, 5], [8], []], dtype=pl.List(pl.Int64)))
    assert ENCODING.user.encode(frame).codes[:, 1:].tolist() == [[UNSEEN, 4, 3], [3, 0, 0], [0, 0, 0]]


def test_lists_of_one_length_are_lists() -> None:
    """A column of polars' arrays is encoded as one of lists."""
    lists = LEARNED.with_columns(last=pl.Series([[7, 8], [9, 5], [8, 8]], dtype=pl.List(pl.Int64)))
    arrays = lists.with_columns(pl.col("last").cast(pl.Array(pl.Int64, 2)))
    assert np.array_equal(ENCODING.user.encode(arrays).codes, ENCODING.user.encode(lists).codes)


def test_rare_values_count_as_unseen() -> None:
    """A vocabulary keeps the values that stand often enough over all of its features."""
    towers = Towers((LastItems("last", "goods"),), (Category("item", "goods"),), (Embedding("goods", 4, minimum=2),))
    learned = learn(towers, LEARNED, pl.DataFrame({"item": [8, 9]}))
    assert learned.user.vocabularies["goods"].values == (9,)


VALUES = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", "z", None]),
        "last": st.none() | st.lists(st.sampled_from([7, 8, 9, 10, None]), max_size=6),
        "age": st.none() | st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf]),
        "text": st.none() | st.lists(st.floats(-10, 10, width=32), min_size=2, max_size=2),
    }
)


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_one_request_is_encoded_as_a_frame_is(rows: list[dict[str, Any]]) -> None:
    """Each row alone has the bytes that it has in a frame, also after JSON."""
    whole = ENCODING.user.encode(pl.DataFrame(rows, schema=SCHEMA))
    read = RowEncoding.from_json(json.loads(json.dumps(ENCODING.user.to_json())))
    alone = [read.encode_one(row) for row in rows]
    assert np.array_equal(whole.codes, np.concatenate([one.codes for one in alone]))
    assert np.array_equal(whole.values, np.concatenate([one.values for one in alone]))


@pytest.mark.parametrize(
    ("column", "values"),
    [("id", [1, 2, 3]), ("id", [0.5, 1.0, 2.0]), ("last", ["a", "b", "c"]), ("text", [[1.0], [2.0], [3.0]])],
)
def test_a_column_of_another_type_is_refused(column: str, values: list[Any]) -> None:
    """The error names the column."""
    with pytest.raises(RunError, match=f"E6325: `{column}`"):
        ENCODING.user.encode(LEARNED.with_columns(pl.Series(column, values)))


def test_a_frame_that_lacks_a_feature_is_refused() -> None:
    """The error names it, when learning and when encoding."""
    with pytest.raises(RunError, match="lacks `age`"):
        ENCODING.user.encode(LEARNED.drop("age"))
    with pytest.raises(RunError, match="lacks `age`"):
        learn(TOWERS, LEARNED.drop("age"), pl.DataFrame({"item": [8, 9]}))


@pytest.mark.parametrize("row", [{"age": "old"}, {"last": 7}, {"text": [1.0]}, {"id": ["a"]}])
def test_a_request_that_does_not_fit_is_refused(row: dict[str, Any]) -> None:
    """The error names the feature."""
    with pytest.raises(RunError, match=f"E6453: `{next(iter(row))}`"):
        ENCODING.user.encode_one(row)


def test_items_have_places_in_the_catalogue() -> None:
    """The place is the row; an item that is not there is named."""
    assert item_codes(pl.Series(["x", "y"]), pl.Series(["y", "x", "y"])).tolist() == [1, 0, 1]
    with pytest.raises(RunError, match="`z` is not in the catalogue"):
        item_codes(pl.Series(["x", "y"]), pl.Series(["y", "z"]))


def test_a_feature_names_a_declared_vocabulary_once() -> None:
    """A declaration that cannot be is refused."""
    with pytest.raises(ValueError, match="names the vocabulary `goods`"):
        Towers(USER, (Category("item", "goods"),), (Embedding("ids"),))
    with pytest.raises(ValueError, match="the item tower has"):
        Towers(USER, (), (Embedding("ids"), Embedding("goods")))
