"""What a window group computes: its entity, its windows and its aggregates, and the columns that come out.

Light: the service imports it to learn a row's columns, so neither polars nor numba is imported here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, cast, get_args

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.dtypes import NUMERIC, Dtype, Value

Function = Literal[
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "std",
    "first",
    "last",
    "last_n",
    "count_distinct",
    "time_since_last",
    "rate",
    "ewma",
    "decayed_sum",
    "top_k",
]

FUNCTIONS: tuple[Function, ...] = get_args(Function)
WITHOUT_VALUE = frozenset({"count", "time_since_last", "rate"})
LISTS = frozenset({"last_n", "top_k"})
DECAYING = frozenset({"ewma", "decayed_sum"})
LARGEST_LIST = 1000

_MICROSECOND = timedelta(microseconds=1)
_UNITS = (
    (timedelta(days=1), "d"),
    (timedelta(hours=1), "h"),
    (timedelta(minutes=1), "m"),
    (timedelta(seconds=1), "s"),
    (timedelta(milliseconds=1), "ms"),
    (_MICROSECOND, "us"),
)


@dataclass(frozen=True, slots=True)
class FeatureColumn:
    """A column of a feature group: its name, its type, and its value for a key that was never seen."""

    name: str
    dtype: Dtype
    default: Value = None


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate: a function over the column `value` of the events, which is computed beforehand.

    - `count` without a value counts events, with a value those whose value is not null.
    - `sum`, `mean`, `min`, `max`, `std`, `first`, `last`, `count_distinct` skip nulls; NaN is null; infinities are
      values.
    - `std` is the sample standard deviation (n - 1), null for fewer than two values or an infinite one.
    - `sum` of integers or booleans is an exact integer.
    - `time_since_last` is in seconds, from the newest event of the window (with a value: whose value is not null) to
      as_of.
    - `rate` is the number of events (with a value: of those whose value is not null) a second of the window; over a
      lifetime, a second since the first of them.
    - `last_n` is the list of the newest `n` values, newest first. `top_k` is the list of the `n` most frequent
      values, most frequent first, and of those that are equally frequent the smallest first.
    - `decayed_sum` is the sum of `value * 2 ** (-age / half_life)`, the age taken at the window's end; `ewma` is that
      sum over the sum of the weights: a mean in which an event counts half after each `half_life`.
    - `count_distinct` is exact; with `exact`, where there are more different values than that, it is an estimate from
      4,096 HyperLogLog registers with a standard error of 1.6 %, the same in every home.

    Of an empty window (no event, or no value that is not null) `count` and `count_distinct` are 0, `rate` is 0.0, lists
    are empty and all else is null, `sum` too, as in SQL.
    """

    name: str
    function: Function
    value: str | None = None
    half_life: timedelta | None = None
    n: int | None = None
    exact: int | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown function, a missing value and parameters that the function does not have."""
        if self.function not in FUNCTIONS:
            raise RunError.of(
                "E6201",
                f"aggregate `{self.name}` has the unknown function `{self.function}`",
                expected=f"one of: {', '.join(FUNCTIONS)}",
            )
        if self.value is None and self.function not in WITHOUT_VALUE:
            raise RunError.of(
                "E6201",
                f"aggregate `{self.name}` ({self.function}) names no value",
                expected="`value`, a column of the events",
            )
        parameters = (
            ("half_life", self.half_life, self.function in DECAYING, True),
            ("n", self.n, self.function in LISTS, True),
            ("exact", self.exact, self.function == "count_distinct", False),
        )
        for name, given, takes, needs in parameters:
            if (given is not None and not takes) or (given is None and takes and needs):
                has = "has no" if given is None else "has a"
                raise RunError.of(
                    "E6201",
                    f"aggregate `{self.name}` ({self.function}) {has} `{name}`",
                    expected=f"`{name}` with {_takers(name)} only",
                )
        if self.half_life is not None and self.half_life <= timedelta(0):
            raise RunError.of(
                "E6201", f"aggregate `{self.name}` has a half-life of {self.half_life}", expected="a positive length"
            )
        if any(number is not None and not 1 <= number <= LARGEST_LIST for number in (self.n, self.exact)):
            raise RunError.of(
                "E6201",
                f"aggregate `{self.name}` keeps {self.n or self.exact} values",
                expected=f"1 to {LARGEST_LIST}",
            )


@dataclass(frozen=True, slots=True)
class WindowGroup:
    """Aggregates over windows of an entity's events.

    A window is half-open, [end - w, end): an event at `end` is outside, one at `end - w` inside; `None` is the whole
    lifetime. For a question at time t, as_of is t, or with `refresh` t floored to a multiple of it since 1970-01-01
    UTC; `end` is as_of - `delay`, so that events are visible only `delay` after their time. Events at one time are
    ordered by the source's `key` (where none is given, by their order in the log). `labels` are the windows' names
    where they are not the default (`24h` for one day); one a window.

    With `resolution` r the beginning of a window is rounded down to a multiple of r since 1970-01-01 UTC:
    [floor(end - w, r), end). A window then holds at most what happened in r more than it says, and a key's state holds
    one summary for each r instead of every event. With `ingest_time`, a question sees only events that were written
    by then (ingest_time <= t); an event written more than `allowed_lateness` after it happened is left out and counted.
    """

    name: str
    entity: tuple[str, ...]
    source: str
    event_time: str
    windows: tuple[timedelta | None, ...]
    aggregates: tuple[Aggregate, ...]
    refresh: timedelta | None = None
    delay: timedelta = timedelta(0)
    key: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    resolution: timedelta | None = None
    ingest_time: str | None = None
    allowed_lateness: timedelta | None = None

    def __post_init__(self) -> None:
        """Refuse what has no meaning: no key, no window, lengths that are not positive, two columns of one name."""
        if not self.entity or not self.windows or not self.aggregates:
            raise RunError.of(
                "E6201",
                f"window group `{self.name}` lacks an entity, a window or an aggregate",
                expected="at least one of each",
            )
        lengths = [("window", w) for w in self.windows if w is not None] + (
            [(name, length) for name, length in (("refresh", self.refresh), ("resolution", self.resolution)) if length]
        )
        for what, length in lengths:
            if length <= timedelta(0):
                raise RunError.of(
                    "E6201",
                    f"window group `{self.name}` has a {what} of {length}",
                    expected="a positive length of time",
                )
        for what, wait in (("delay", self.delay), ("allowed lateness", self.allowed_lateness)):
            if wait is not None and wait < timedelta(0):
                raise RunError.of(
                    "E6201",
                    f"window group `{self.name}` has a {what} of {wait}",
                    expected="a length of time that is not negative",
                )
        if self.labels and len(self.labels) != len(self.windows):
            raise RunError.of(
                "E6201",
                f"window group `{self.name}` has {len(self.windows)} windows and {len(self.labels)} labels",
                expected="one label a window",
            )
        names = column_names(self)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise RunError.of(
                "E6201",
                f"window group `{self.name}` computes `{twice[0]}` twice",
                expected="a different name for each column",
            )


def window_label(window: timedelta | None) -> str:
    """Name a window by the largest unit that divides it: `7d`, `36h`, `30m`, `lifetime`."""
    if window is None:
        return "lifetime"
    unit, letter = next((unit, letter) for unit, letter in _UNITS if window % unit == timedelta(0))
    return f"{window // unit}{letter}"


def column_names(group: WindowGroup) -> tuple[str, ...]:
    """Return the names `<aggregate>_<window>`, aggregate by aggregate, windows in order within each."""
    labels = group.labels or tuple(window_label(window) for window in group.windows)
    return tuple(f"{aggregate.name}_{label}" for aggregate in group.aggregates for label in labels)


def output_columns(group: WindowGroup, values: Mapping[str, Dtype]) -> tuple[FeatureColumn, ...]:
    """Return the group's columns in order; `values` gives the type of every value column that an aggregate reads."""
    typed = [
        (output_dtype(aggregate, values), default_of(aggregate))
        for aggregate in group.aggregates
        for _ in group.windows
    ]
    return tuple(
        FeatureColumn(name, dtype, default) for name, (dtype, default) in zip(column_names(group), typed, strict=True)
    )


def output_dtype(aggregate: Aggregate, values: Mapping[str, Dtype]) -> Dtype:
    """Return the type that `aggregate` gives; a function that its value's type does not have is refused (E6204)."""
    if aggregate.value is not None and aggregate.value not in values:
        raise RunError.of(
            "E6202",
            f"aggregate `{aggregate.name}` reads `{aggregate.value}`, which the events do not have",
            expected=f"one of: {', '.join(sorted(values))}",
        )
    match aggregate.function:
        case "count" | "count_distinct":
            return "int64"
        case "time_since_last" | "rate":
            return "float64"
    dtype = values[str(aggregate.value)]
    if aggregate.function in LISTS:
        return cast("Dtype", f"list<{dtype}>")
    if aggregate.function in ("sum", "mean", "std", "ewma", "decayed_sum"):
        if dtype not in NUMERIC:
            raise RunError.of(
                "E6204",
                f"aggregate `{aggregate.name}` takes the {aggregate.function} of `{aggregate.value}`, a {dtype}",
                expected="a number or a boolean",
            )
        return "int64" if aggregate.function == "sum" and dtype != "float64" else "float64"
    return dtype


def default_of(aggregate: Aggregate) -> Value:
    """Return the aggregate's value over an empty window."""
    if aggregate.function in LISTS:
        return ()
    return {"count": 0, "count_distinct": 0, "rate": 0.0}.get(aggregate.function)


def _takers(parameter: str) -> str:
    functions = {"half_life": DECAYING, "n": LISTS, "exact": {"count_distinct"}}[parameter]
    return " and ".join(f"`{name}`" for name in sorted(functions))


def as_microseconds(length: timedelta) -> int:
    """Return a length of time as whole microseconds."""
    return length // _MICROSECOND
