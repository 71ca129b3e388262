"""Functions of moments; all of them in UTC. A date counts as its midnight."""

from dataclasses import replace

from mlsd_framework.ir.functions.definition import Function, Parameter, always
from mlsd_framework.ir.types import FLOAT64, INT64, TIMESTAMP

UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
SECONDS = replace(FLOAT64, unit="s")

_TS = "timestamp '2024-02-29 13:45:10.5'"
_Examples = tuple[tuple[str, bool | float | str | None], ...]


def _part(name: str, doc: str, examples: _Examples) -> Function:
    return Function(
        name=name,
        group="time",
        parameters=(Parameter("ts", "timestamp"),),
        result=always(INT64),
        doc=doc,
        examples=examples,
    )


FUNCTIONS = (
    _part("second", "The second of the minute, 0 to 59.", ((f"second({_TS})", 10),)),
    _part("minute", "The minute of the hour, 0 to 59.", ((f"minute({_TS})", 45),)),
    _part("hour", "The hour of the day, 0 to 23.", ((f"hour({_TS})", 13), ("hour(timestamp '1969-12-31 23:00:00')", 23))),
    _part(
        "day_of_week",
        "The day of the week, 1 for Monday to 7 for Sunday (ISO 8601).",
        ((f"day_of_week({_TS})", 4), ("day_of_week(date '2024-03-03')", 7)),
    ),
    _part("day", "The day of the month, 1 to 31.", ((f"day({_TS})", 29),)),
    _part("day_of_year", "The day of the year, 1 to 366.", ((f"day_of_year({_TS})", 60),)),
    _part("month", "The month, 1 to 12.", ((f"month({_TS})", 2),)),
    _part("year", "The year.", ((f"year({_TS})", 2024), ("year(date '1969-12-31')", 1969))),
    Function(
        name="date_trunc",
        group="time",
        parameters=(Parameter("unit", "text", literal=True, choices=UNITS), Parameter("ts", "timestamp")),
        result=always(TIMESTAMP),
        doc="The moment at which the unit around `ts` began; weeks begin on Monday.",
        examples=(
            (f"date_trunc('hour', {_TS})", 1709211600000000),
            ("date_trunc('week', timestamp '2024-03-03 10:00:00')", 1708905600000000),
            ("date_trunc('month', date '2024-03-03')", 1709251200000000),
        ),
    ),
    Function(
        name="epoch",
        group="time",
        parameters=(Parameter("ts", "timestamp"),),
        result=always(SECONDS),
        doc="Seconds since 1970-01-01 00:00:00, with their fraction.",
        examples=(("epoch(timestamp '1970-01-01 00:00:01.5')", 1.5),),
    ),
    Function(
        name="seconds_between",
        group="time",
        parameters=(Parameter("start", "timestamp"), Parameter("end", "timestamp")),
        result=always(SECONDS),
        doc="Seconds from `start` to `end`, negative where `end` is earlier.",
        examples=((f"seconds_between({_TS}, {_TS} + interval '1' minute)", 60.0),),
    ),
    Function(
        name="seconds",
        group="time",
        parameters=(Parameter("d", "duration"),),
        result=always(SECONDS),
        doc="A duration in seconds, with their fraction.",
        examples=(("seconds(interval '90' minute)", 5400.0),),
    ),
)
