"""Values of features as plain Python, and when two homes say the same."""

import math

import polars as pl

from mlsd_framework.runtime.features.dtypes import Value

TOLERANCE = 1e-9
"""How far two floats may be apart, as a part of the larger."""

UNSAID: Value = "(unsaid)"
"""What a home says where it cannot say: compared with nothing."""

_SMALLEST = 1e-300  # below, doubles have too few digits left for nine of them


def plain(frame: pl.DataFrame) -> list[tuple[Value, ...]]:
    """Return a frame's rows with moments, dates and lengths of time as the numbers that states and rows hold."""
    return [tuple(map(_tuples, row)) for row in physical(frame).iter_rows()]


def physical(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame whose times are numbers: microseconds, and days of dates."""
    return frame.with_columns(
        [pl.col(name).to_physical() for name, dtype in frame.schema.items() if dtype.is_temporal()]
        + [
            pl.col(name).list.eval(pl.element().to_physical())
            for name, dtype in frame.schema.items()
            if isinstance(dtype, pl.List)
            and dtype.inner is not None
            and pl.Series(dtype=dtype.inner).dtype.is_temporal()
        ]
    )


def same(one: object, other: object) -> bool:
    """Say whether two values are the same: floats within `TOLERANCE`, all else equal; null is only null."""
    if one is UNSAID or other is UNSAID:
        return True
    if one is None or other is None:
        return one is other
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool) and one == other
    if isinstance(one, float) or isinstance(other, float):
        return _close(one, other)
    return type(one) is type(other) and one == other


def _close(one: object, other: object) -> bool:
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return False
    return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=_SMALLEST)


def _tuples(value: Value) -> Value:
    return tuple(value) if isinstance(value, list) else value
