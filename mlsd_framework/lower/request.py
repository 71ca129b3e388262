"""Which columns of a source a request has, and which of them a group takes."""

from collections.abc import Sequence
from datetime import timedelta
from fnmatch import fnmatchcase

from mlsd_framework.ir.label import Label
from mlsd_framework.ir.sources import Column, Source
from mlsd_framework.lower.context import Context
from mlsd_framework.spec.derived import DerivedGroupSpec
from mlsd_framework.spec.features import FeatureGroupSpec


def request_columns(source: Source, label: Label | None) -> tuple[Column, ...]:
    """Return the columns that are known when a row of `source` comes: no label, nothing that is known only later.

    When the row was written is among those.
    """
    hidden = {label.column} if label is not None and label.source == source.name else set()
    hidden |= {source.ingest_time} if source.ingest_time is not None else set()
    return tuple(
        column for column in source.columns if column.name not in hidden and column.known_after == timedelta(0)
    )


def check_descriptions(
    group: str, spec: FeatureGroupSpec | DerivedGroupSpec, features: Sequence[str], context: Context
) -> None:
    """Report descriptions of what is no feature of the group."""
    for name in spec.describe:
        if name not in features:
            what = f"`features.{group}.describe` describes `{name}`, which is no feature of the group"
            context.unknown("E2001", what, ("features", group, "describe", name), name, features)


def expand_columns(group: str, spec: FeatureGroupSpec, source: Source, context: Context) -> tuple[str, ...] | None:
    """Return the columns that a group takes from its source, patterns such as `V*` filled in; none at a fault."""
    found: dict[str, None] = {}
    names = [column.name for column in source.columns]
    faulty = False
    for index, pattern in enumerate(spec.columns):
        matched = (
            [name for name in names if fnmatchcase(name, pattern)]
            if "*" in pattern
            else [name for name in names if name == pattern]
        )
        if not matched:
            faulty = True
            what = f"`features.{group}` takes the column `{pattern}`, which `sources.{source.name}` does not have"
            context.unknown("E2003", what, ("features", group, "columns", index), pattern, names)
        found.update(dict.fromkeys(matched))
    return None if faulty else tuple(found)
