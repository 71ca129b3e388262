"""One expression, one meaning: what a request computes, on frames as in training and on one row as in the service."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from mlsd_framework.runtime.data.schema import SourceTable
from mlsd_framework.runtime.verify.parity import Difference, GroupParity
from mlsd_framework.runtime.verify.subject import Expressions, Row
from mlsd_framework.runtime.verify.values import physical, same

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 50
_MIXED = 300
_TIMES = tuple(
    (moment - _EPOCH) // timedelta(microseconds=1) + step
    for moment in (
        datetime(1969, 12, 31, tzinfo=UTC),
        datetime(2020, 2, 29, tzinfo=UTC),
        datetime(2021, 1, 1, tzinfo=UTC),
        datetime(2024, 3, 31, 1, tzinfo=UTC),
        datetime(2024, 12, 30, tzinfo=UTC),
    )
    for step in (-1, 0, 1)
)
_FLOATS = (0.0, -0.0, 1.0, -1.0, 0.1, 1e-12, 1e15, 1e300, -1e300)
_INTEGERS = (0, 1, -1, 2, 100, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
_TEXTS = ("", " ", "a", "Ä\u00df", "\U0001f600", "50%", "a_b", "null", "x" * 300)


def expressions_hold(
    expressions: Expressions, rows: pl.DataFrame, table: SourceTable, number: int, seed: int = 5
) -> tuple[GroupParity, dict[str, int]]:
    """Compute a sample of rows, real and made, in both homes; return what differs and how often inputs were null."""
    draw = np.random.default_rng(seed)
    taken = draw.choice(rows.height, min(number, rows.height), replace=False).tolist()
    asked = pl.concat(
        [rows[taken].with_columns(pl.lit("a real row").alias("__case")), *_made(expressions, rows, table, draw)]
    )
    cases = asked.get_column("__case").to_list()
    asked = asked.drop("__case")
    in_frames = physical(expressions.frame(asked).select(expressions.outputs)).rows()
    result = GroupParity("(request)", homes={"frame": 0.0, "request": 0.0}, questions=asked.height)
    for at, (row, theirs) in enumerate(zip(physical(asked).iter_rows(named=True), in_frames, strict=True)):
        ours = _requested(expressions, row)
        for name, a in zip(expressions.outputs, theirs, strict=True):
            result.values += 1
            b = ours.get(name)
            if same(a, b):
                continue
            result.differing += 1
            if len(result.differences) < _SHOWN:
                inputs = {one: row[one] for one in expressions.inputs}
                result.differences.append(
                    Difference(name, inputs, f"row {at}", cases[at], {"training": a, "request": b})
                )
    nulls = {name: asked.get_column(name).null_count() for name in expressions.inputs}
    return result, nulls


def _requested(expressions: Expressions, row: Mapping[str, object]) -> Row:
    computed: Row = {name: row[name] for name in expressions.inputs}
    try:
        expressions.request(computed)
    except (ArithmeticError, ValueError, TypeError) as fault:
        # The service would answer with an error where training has a value: a difference, shown as what was raised.
        return {name: f"{type(fault).__name__}: {fault}" for name in expressions.outputs}
    return computed


def _made(
    expressions: Expressions, rows: pl.DataFrame, table: SourceTable, draw: np.random.Generator
) -> Iterator[pl.DataFrame]:
    """Yield rows with one input changed to each of its edges, and rows with several."""
    if not rows.height:
        return
    edges = {name: _edges(name, nullable, rows, table) for name, nullable in expressions.inputs.items()}
    for name, values in edges.items():
        if values.len():
            base = rows[draw.integers(0, rows.height, values.len()).tolist()]
            yield base.with_columns(values.alias(name), pl.lit(f"`{name}` at an edge").alias("__case"))
    several = [
        values.gather(draw.integers(0, values.len(), _MIXED)).alias(name)
        for name, values in edges.items()
        if values.len()
    ]
    base = rows[draw.integers(0, rows.height, _MIXED).tolist()]
    yield base.with_columns(*several, pl.lit("all inputs at edges").alias("__case"))


def _edges(name: str, nullable: bool, rows: pl.DataFrame, table: SourceTable) -> pl.Series:  # noqa: FBT001 - a fact about the input
    dtype = rows.schema[name]
    column = next((one for one in table.columns if one.name == name), None)
    low, high = (column.minimum, column.maximum) if column else (None, None)
    found: list[object] = []
    if column is not None and column.categories:
        found = list(column.categories)
    elif dtype.is_float() or dtype.is_integer():
        bounds = [bound for bound in (low, high) if bound is not None]
        numbers: list[float] = [*(_FLOATS if dtype.is_float() else _INTEGERS), *bounds]
        found = [one for one in numbers if (low is None or one >= low) and (high is None or one <= high)]
    elif dtype == pl.String:
        found = list(_TEXTS)
    elif dtype == pl.Boolean:
        found = [True, False]
    elif dtype == pl.Datetime("us", "UTC"):
        return pl.Series(name, [*_TIMES, *([None] if nullable else [])], pl.Int64).cast(dtype)
    made = pl.Series(name, [*found, *([None] if nullable else [])], strict=False)
    return made.cast(dtype, strict=False) if nullable else made.cast(dtype, strict=False).drop_nulls()
