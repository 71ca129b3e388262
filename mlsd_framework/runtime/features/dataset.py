"""The training set as it is put together: feature columns beside the examples, then one Parquet file."""

import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.workspace import Workspace


def beside(rows: pl.DataFrame, group: str, features: pl.DataFrame) -> pl.DataFrame:
    """Return `rows` with the columns of `features` beside them, named `group.feature`; no row is lost or moved."""
    return rows.hstack(features.rename({name: f"{group}.{name}" for name in features.columns}))


def beside_log(events: pl.LazyFrame, group: str, features: pl.DataFrame) -> pl.LazyFrame:
    """Return events with the columns of `features` beside them, as `beside` does; the events are read when needed."""
    named = features.rename({name: f"{group}.{name}" for name in features.columns})
    return pl.concat([events, named.lazy()], how="horizontal")


def computed(rows: pl.DataFrame, group: str, /, **features: pl.Expr) -> pl.DataFrame:
    """Return `rows` with computed features beside them, named `group.feature`; each may use those before it."""
    for name, value in features.items():
        rows = rows.with_columns(value.alias(f"{group}.{name}"))
    return rows


def with_known_labels(rows: pl.LazyFrame, label: str) -> pl.DataFrame:
    """Return the rows whose label is known, and say how many are left out; raise E6245 where none is known."""
    asked = [rows.filter(pl.col(label).is_not_null()), rows.select(pl.len())]
    known, counted = pl.collect_all(asked, engine="streaming")  # together, so that labels are joined once
    if known.is_empty():
        raise RunError.of("E6245", f"no row has a known label `{label}`", expected="labels that join to the examples")
    height = counted.item()
    if known.height < height:
        print(f"{height - known.height:,} of {height:,} rows have no known `{label}` and are left out")
    return known


def write_dataset(rows: pl.DataFrame, workspace: Workspace) -> None:
    """Write the training set."""
    with atomic.replacing(workspace.dataset) as part:
        rows.write_parquet(part, compression="zstd", compression_level=1)
    print(f"training set: {rows.height:,} rows, {rows.width} columns")
