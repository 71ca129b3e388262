"""What items are in words: columns of the table that lists them, as one text an item."""

from collections.abc import Sequence

import polars as pl


def words_of(rows: pl.LazyFrame, key: str, keys: Sequence[int | str], columns: Sequence[str]) -> list[str]:
    """Return a text for each key in order: the values of columns of its row, joined by `, `.

    Nulls and blank values are left out; a key without any, or without a row, has an empty text. Of several rows with
    one key the last counts, as in the catalogue.
    """
    values = [pl.col(name).cast(pl.String).str.strip_chars() for name in columns]
    said = [pl.when(value != "").then(value) for value in values]
    words = pl.concat_str(said, separator=", ", ignore_nulls=True)
    found = rows.select(pl.col(key).alias("key"), words.alias("words")).drop_nulls("key").collect()
    found = found.unique("key", keep="last")
    wanted = pl.DataFrame({"key": list(keys)}).with_columns(pl.col("key").cast(found.schema["key"]))
    joined = wanted.join(found, on="key", how="left", maintain_order="left")
    return joined["words"].fill_null("").to_list()
