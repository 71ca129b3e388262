"""From the schema's types to polars: the dtype of a column, and the expression that turns a file's value into it."""

import re

import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.schema import FLOATS, INTEGERS, TEXTS, Column

_PLAIN: dict[str, type[pl.DataType]] = {
    "string": pl.String, "category": pl.String, "bool": pl.Boolean, "date": pl.Date,
    "int8": pl.Int8, "int16": pl.Int16, "int32": pl.Int32, "int64": pl.Int64,
    "float32": pl.Float32, "float64": pl.Float64, "money": pl.Float64,
}  # fmt: skip
_MICROSECONDS = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}
_BOOLEANS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "1": True,
    "false": False,
    "False": False,
    "FALSE": False,
    "0": False,
}
_ISO_START = r"^\d{4}-\d{2}-\d{2}"
_LIST = re.compile(r"list<(.+)>")


def dtype(type_: str) -> pl.DataType:
    """Return the polars dtype of a schema type: times are microseconds in UTC, categories text, money float64.

    Raises RunError E6113 for a type that does not exist.
    """
    if type_ == "timestamp":
        return pl.Datetime("us", "UTC")
    if type_ == "duration":
        return pl.Duration("us")
    if inner := _LIST.fullmatch(type_):
        return pl.List(dtype(inner[1]))
    if type_ not in _PLAIN:
        raise RunError.of(
            "E6113",
            f"`{type_}` is not a type of column",
            expected="one of: " + ", ".join([*_PLAIN, "timestamp", "duration", "list<…>"]),
        )
    return _PLAIN[type_]()


def direct(column: Column) -> pl.DataType | None:
    """Return the dtype as which the CSV parser itself can read the column, or None when it is read as text first."""
    return dtype(column.type) if column.type in (*INTEGERS, *FLOATS, *TEXTS) else None


def converted(column: Column, found: pl.DataType) -> pl.Expr:
    """Return the expression that turns values of dtype `found` into the column's type.

    A value that cannot be turned is null; NaN is a missing value and becomes null too.
    """
    value = pl.col(column.name)
    wanted = dtype(column.type)
    if column.type in ("timestamp", "date", "duration"):
        return _time(column, value, found)
    if column.type == "bool" and not isinstance(found, pl.Boolean):
        return value.cast(pl.String).replace_strict(_BOOLEANS, default=None, return_dtype=pl.Boolean)
    if isinstance(wanted, pl.List):
        return value.str.json_decode(wanted) if isinstance(found, pl.String) else value.cast(wanted, strict=False)
    if column.type in TEXTS:
        return value.cast(pl.String)
    number = value.str.strip_chars() if isinstance(found, pl.String) else value
    if column.type in INTEGERS and found.is_float():
        whole = number.round(0) == number
        return pl.when(whole).then(number).cast(wanted, strict=False)
    number = number.cast(wanted, strict=False)
    return number.fill_nan(None) if column.type in FLOATS else number


def _time(column: Column, value: pl.Expr, found: pl.DataType) -> pl.Expr:
    """Turn text, numbers or times into a timestamp, date or duration; times without a zone are UTC."""
    wanted = dtype(column.type)
    if isinstance(found, pl.Duration) or (isinstance(found, pl.Date) and column.type == "date"):
        return value.cast(wanted)
    if isinstance(found, pl.Datetime):
        in_utc = value.dt.convert_time_zone("UTC") if found.time_zone else value.dt.replace_time_zone("UTC")
        return in_utc.cast(wanted) if column.type == "timestamp" else in_utc.dt.date()
    if isinstance(found, pl.Date):
        return value.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    form = column.time_format or ("seconds" if column.type == "duration" or not isinstance(found, pl.String) else "iso")
    if form == "iso":
        moment = _iso(value)
    else:
        scale = _MICROSECONDS[form]
        number = value.str.strip_chars() if isinstance(found, pl.String) else value
        # Whole numbers stay whole: a float64 holds microseconds since the epoch only just.
        whole = number.cast(pl.Int64, strict=False) * scale if not found.is_float() else pl.lit(None, pl.Int64)
        counted = pl.coalesce(
            whole, (number.cast(pl.Float64, strict=False) * scale).round(0).cast(pl.Int64, strict=False)
        )
        moment = (
            counted.cast(pl.Duration("us"))
            if column.type == "duration"
            else (counted + origin_us(column)).cast(pl.Datetime("us", "UTC"))
        )
    return moment.dt.date() if column.type == "date" else moment


def _iso(value: pl.Expr) -> pl.Expr:
    """Parse ISO 8601: a date, or a date and a time with `T` or a blank, any fraction, with or without a zone."""
    return value.cast(pl.String).map_batches(_parse_iso, return_dtype=pl.Datetime("us", "UTC"))


def _parse_iso(texts: pl.Series) -> pl.Series:
    """Parse by the notation of the first value, and again, by all notations, what is not written so."""
    first = next(iter(texts.drop_nulls().head(1).to_list()), "")
    notation = f"%Y-%m-%d{' ' if ' ' in first else 'T'}%H:%M:%S%.f"
    if re.search(r":\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})$", first):
        times = texts.str.to_datetime(notation + "%#z", time_unit="us", strict=False)
    else:
        times = texts.str.to_datetime(notation, time_unit="us", strict=False).dt.replace_time_zone("UTC")
    rest = times.is_null() & texts.is_not_null()
    if rest.any():
        others = texts.filter(rest).to_frame("text").select(_any_iso(pl.col("text"))).to_series()
        times = times.scatter(rest.arg_true(), others)
    return times


def _any_iso(value: pl.Expr) -> pl.Expr:
    shaped = value.str.strip_chars().str.replace(f"({_ISO_START}) ", "${1}T")
    shaped = shaped.str.replace(r"(T\d{2}:\d{2})(Z|[+-]\d{2}:?\d{2}|)$", "${1}:00${2}")
    zoned = shaped.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", strict=False)
    naive = shaped.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    day = shaped.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    return pl.coalesce(zoned, naive.dt.replace_time_zone("UTC"), day.dt.replace_time_zone("UTC"))


def origin_us(column: Column) -> int:
    """Return the origin of a counted time in microseconds since the epoch."""
    if column.origin is None:
        return 0
    moment = _parse_iso(pl.Series([column.origin]))
    if moment.null_count():
        raise RunError.of(
            "E6113",
            f"the origin `{column.origin}` of column `{column.name}` is not a time",
            expected="an ISO time such as `2013-09-01T00:00:00Z`",
        )
    return int(moment.to_physical().item())
