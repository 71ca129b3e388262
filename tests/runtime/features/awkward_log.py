"""A log and questions as random as they are awkward: ties, nulls, unseen keys, numbers at the ends of their range."""

import math
import random
from datetime import UTC, datetime, timedelta

import polars as pl

from mlsd_framework.runtime.features.windows import Aggregate

START = datetime(2024, 3, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TIME = pl.Datetime("us", "UTC")
EVENTS = {
    "card": pl.String, "shop": pl.Int64, "ts": TIME, "id": pl.Int64,
    "x": pl.Float64, "n": pl.Int64, "s": pl.String, "f": pl.Boolean, "seen": TIME, "written": TIME,
}  # fmt: skip
AGGREGATES = (
    Aggregate("events", "count"),
    Aggregate("quiet", "time_since_last"),
    *(Aggregate(f"x_{f}", f, "x") for f in ("count", "sum", "mean", "min", "max", "std", "first", "last")),
    *(Aggregate(f"n_{f}", f, "n") for f in ("sum", "mean", "min", "std", "last")),
    *(Aggregate(f"s_{f}", f, "s") for f in ("count", "min", "first", "last", "count_distinct")),
    *(Aggregate(f"seen_{f}", f, "seen") for f in ("max", "last")),
    Aggregate("flags", "sum", "f"),
    Aggregate("pace", "rate"),
    *(Aggregate(f"{v}_list", "last_n", v, n=3) for v in ("x", "s", "seen")),
    *(Aggregate(f"{v}_top", "top_k", v, n=2) for v in ("n", "s")),
    Aggregate("x_fading", "ewma", "x", half_life=4 * SECOND),
    Aggregate("n_fading", "decayed_sum", "n", half_life=4 * SECOND),
    Aggregate("about", "count_distinct", "n", exact=3),
)


def log(rows: int, seed: int) -> pl.DataFrame:
    """Events with many ties, nulls in every column that may have them, and awkward numbers; in no order."""
    draw = random.Random(seed)  # noqa: S311 - rows of a test
    numbers = [0.0, -0.0, 1e15, -1e15, 0.1, 1e300, math.nan, math.inf, None, 9.99]
    made = [
        (
            draw.choice([*(f"c{i}" for i in range(40)), None]),
            draw.choice([*range(8), None]),
            (at := START + draw.randrange(60) * SECOND + timedelta(microseconds=draw.choice([0, 0, 1]))),
            number,
            draw.choice([*numbers, draw.uniform(-1e6, 1e6)]),
            draw.choice([draw.randrange(-(2**40), 2**40), None]),
            draw.choice(["u", "v", "w", "", None]),
            draw.choice([True, False, None]),
            draw.choice([START + draw.randrange(10**9) * timedelta(microseconds=1), None]),
            at + draw.choice([0, 0, 2, 30]) * SECOND,
        )
        for number in range(rows)
    ]
    draw.shuffle(made)
    return pl.DataFrame(made, schema=EVENTS, orient="row")


def questions(rows: int, seed: int) -> pl.DataFrame:
    """Questions about known keys, unseen keys and none, at moments on the events' own and at none."""
    draw = random.Random(seed)  # noqa: S311 - rows of a test
    made = [
        (
            number,
            draw.choice([*(f"c{i}" for i in range(44)), None]),
            draw.choice([*range(10), None]),
            draw.choice([START + draw.randrange(-3, 70) * SECOND, None]),
            draw.choice(["one", None]),
        )
        for number in range(rows)
    ]
    schema = {"question": pl.Int64, "card": pl.String, "shop": pl.Int64, "ts": TIME, "note": pl.String}
    return pl.DataFrame(made, schema=schema, orient="row")
