"""Lower `sources`: types are read, keys and times are resolved to columns."""

from collections.abc import Mapping
from dataclasses import replace

from mlsd_framework.ir.sources import Checks, Column, Files, Origin, Source, Stream
from mlsd_framework.ir.types import DataType
from mlsd_framework.lower.context import Context
from mlsd_framework.lower.kinds import SourceLowering
from mlsd_framework.spec.loading import Loc
from mlsd_framework.spec.sources import ColumnSpec, SourceSpec, StreamSpec


def lower_sources(
    specs: Mapping[str, SourceSpec], kinds: Mapping[str, SourceLowering], context: Context
) -> dict[str, Source]:
    """Return the sources that have no faults, in the order of the file."""
    found = {}
    for name, spec in specs.items():
        source = _source(name, spec, kinds[spec.kind], context)
        if source is not None:
            found[name] = source
    return found


def _kept(spec: StreamSpec | None) -> Stream | None:
    return None if spec is None else Stream(spec.name, spec.partitions, spec.retention)


def _source(name: str, spec: SourceSpec, kind: SourceLowering, context: Context) -> Source | None:
    at: Loc = ("sources", name)
    before = len(context.faults)
    columns = tuple(
        lower_column(column, item, (*at, "schema", column), context) for column, item in spec.columns.items()
    )
    known = {column.name: column for column in columns if column is not None}
    declared = frozenset(spec.columns)
    _key(name, spec, known, declared, context)
    _time(name, "event_time", spec.event_time, known, declared, context)
    _time(name, "ingest_time", spec.ingest_time, known, declared, context)
    valid_to = getattr(spec, "valid_to", None)
    _time(name, "valid_to", valid_to, known, declared, context)
    _stream(name, spec, context)
    if valid_to is not None and spec.event_time is None:
        context.report(
            "E2031",
            f"`sources.{name}` has a `valid_to` and no `event_time`",
            (*at, "valid_to"),
            key=True,
            expected="`event_time:` with the column that says from when a row holds",
        )
    row_number = getattr(spec, "row_number", None)
    if row_number is not None and row_number not in declared:
        context.unknown(
            "E2003",
            f"`row_number` names the column `{row_number}`, which the schema does not have",
            (*at, "row_number"),
            row_number,
            declared,
        )
    if len(context.faults) > before:
        return None
    return Source(
        name=name,
        kind=spec.kind,
        origin=_placed(kind.origin(spec), at, context),
        key=tuple(spec.key),
        columns=tuple(known.values()),
        event_time=spec.event_time,
        ingest_time=spec.ingest_time,
        valid_to=valid_to,
        stream=_kept(spec.stream),
        allowed_lateness=spec.allowed_lateness,
        allowed_ahead=spec.allowed_ahead,
        checks=Checks(**spec.checks.model_dump()),
        describe=spec.describe,
        span=context.span(at, key=True),
    )


def _key(name: str, spec: SourceSpec, known: Mapping[str, Column], declared: frozenset[str], context: Context) -> None:
    at: Loc = ("sources", name)
    for index, key in enumerate(spec.key):
        where = (*at, "key", index) if len(spec.key) > 1 else (*at, "key")
        if key not in declared:
            context.unknown(
                "E2003",
                f"the key of `sources.{name}` names the column `{key}`, which its schema does not have",
                where,
                key,
                declared,
            )
        elif key in known and known[key].type.nullable:
            what = f"the key of `sources.{name}` is the column `{key}`, which can be null"
            context.report("E2031", what, where, expected=f"`{known[key].type.not_null()}` without `?`")


def _stream(name: str, spec: SourceSpec, context: Context) -> None:
    at: Loc = ("sources", name)
    if spec.stream is not None and spec.event_time is None:
        context.report(
            "E2031",
            f"`sources.{name}` has a `stream` and no `event_time`",
            (*at, "stream"),
            key=True,
            expected="`event_time:` with the column that says when an event happened",
        )
    if spec.allowed_lateness is not None and spec.ingest_time is None:
        context.report(
            "E2031",
            f"`sources.{name}` has an `allowed_lateness` and no `ingest_time`",
            (*at, "allowed_lateness"),
            key=True,
            expected="`ingest_time:` with the column that says when an event was written",
        )


def _placed(origin: Origin, at: Loc, context: Context) -> Origin:
    return replace(origin, span=context.span((*at, "path"))) if isinstance(origin, Files) else origin


def _time(
    source: str, field: str, name: str | None, known: Mapping[str, Column], declared: frozenset[str], context: Context
) -> None:
    at: Loc = ("sources", source, field)
    if name is None:
        return
    if name not in declared:
        context.unknown(
            "E2003",
            f"`{field}` of `sources.{source}` names the column `{name}`, which its schema does not have",
            at,
            name,
            declared,
        )
    elif name in known and known[name].type.name != "timestamp":
        context.report(
            "E2031",
            f"`{field}` of `sources.{source}` is the column `{name}` of type `{known[name].type}`",
            at,
            expected="a column of type `timestamp`",
        )
    elif name in known and known[name].type.nullable and field != "valid_to":
        context.report(
            "E2031",
            f"`{field}` of `sources.{source}` is the column `{name}`, which can be null",
            at,
            expected="a column of type `timestamp` without `?`",
        )


def lower_column(name: str, spec: ColumnSpec, at: Loc, context: Context) -> Column | None:
    """Return the column that stands at `at`, or none where its type is none."""
    type_ = context.type(spec.type, spec.unit, (*at, "type"))
    if type_ is None:
        return None
    _settings_fit(name, spec, type_, at, context)
    return Column(
        name=name,
        type=type_,
        minimum=spec.min,
        maximum=spec.max,
        values=tuple(spec.values) if spec.values is not None else None,
        file_column=spec.column,
        time_format=spec.format,
        origin=spec.origin.isoformat() if spec.origin else None,
        describe=spec.describe,
        **({"known_after": spec.known_after} if spec.known_after is not None else {}),
        span=context.span(at, key=True),
    )


def _settings_fit(name: str, spec: ColumnSpec, type_: DataType, at: Loc, context: Context) -> None:
    """Refuse settings that the column's type gives no meaning to."""
    uses = {
        "min": (spec.min, type_.numeric, "a number"),
        "max": (spec.max, type_.numeric, "a number"),
        "values": (spec.values, (type_.item or type_).text, "text"),
        "format": (spec.format, type_.name == "timestamp", "a timestamp"),
        "origin": (spec.origin, type_.name == "timestamp", "a timestamp"),
    }
    for key, (value, fits, wanted) in uses.items():
        if value is not None and not fits:
            context.report(
                "E2032",
                f"`{key}` of the column `{name}` means nothing for the type `{type_}`",
                (*at, key),
                key=True,
                expected=f"a column that holds {wanted}",
            )
    if spec.values is not None and len(set(spec.values)) != max(1, len(spec.values)):
        how = "has no value" if not spec.values else "names a value twice"
        context.report("E2032", f"`values` of the column `{name}` {how}", (*at, "values"), key=True)
    if spec.min is not None and spec.max is not None and spec.min > spec.max:
        context.report("E2032", f"`min` of the column `{name}` is above its `max`", (*at, "min"))
