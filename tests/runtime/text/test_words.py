"""What items are in words."""

import polars as pl

from mlsd_framework.runtime.text.words import words_of


def test_words_are_in_the_order_of_keys_and_nulls_and_blanks_are_left_out() -> None:
    """Of two rows with a key the last counts; a key without words, or without a row, has an empty text."""
    rows = pl.DataFrame(
        {
            "id": [3, 1, 1, None, 2, 4],
            "kind": ["milk", "old", " bread ", "lost", None, None],
            "brand": ["A", "A", None, "A", "B", "  "],
        },
        schema_overrides={"id": pl.Int32},
    ).lazy()
    assert words_of(rows, "id", [1, 2, 3, 4, 5], ["kind", "brand"]) == ["bread", "B", "milk, A", "", ""]


def test_the_key_may_be_among_the_words() -> None:
    """Keys of text are words like any others, categories are too."""
    rows = pl.LazyFrame({"id": ["b", "a"], "kind": ["x", "y"]}, schema_overrides={"kind": pl.Categorical})
    assert words_of(rows, "id", ["a", "b"], ["id", "kind"]) == ["a, y", "b, x"]


def test_no_items_have_no_words() -> None:
    """A table without rows, or a catalogue without items, gives none."""
    rows = pl.LazyFrame(schema={"id": pl.Int64, "kind": pl.String})
    assert words_of(rows, "id", [], ["kind"]) == []
    assert words_of(rows, "id", [7], ["kind"]) == [""]
