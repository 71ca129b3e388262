"""Columns of tables for keys in order: what models that find candidates read of users and items."""

from collections.abc import Sequence

import polars as pl


def table(rows: pl.LazyFrame, key: str, keys: Sequence[int | str], columns: Sequence[str], group: str) -> pl.DataFrame:
    """Return columns of a table for keys in order, named `group.column`, null for a key that it does not have."""
    wanted = pl.DataFrame({key: list(keys)})
    found = rows.select(key, *columns).drop_nulls(key).unique(key, keep="last").collect()
    wanted = wanted.with_columns(pl.col(key).cast(found.schema[key], strict=False))
    joined = wanted.join(found, on=key, how="left", maintain_order="left")
    return joined.select(pl.col(name).alias(f"{group}.{name}") for name in columns)
