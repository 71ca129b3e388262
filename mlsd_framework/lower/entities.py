"""Lower `entities`."""

from collections.abc import Mapping

from mlsd_framework.ir.entities import Entity
from mlsd_framework.ir.sources import Source
from mlsd_framework.lower.context import Context
from mlsd_framework.spec.entities import EntitySpec


def lower_entities(
    specs: Mapping[str, EntitySpec], sources: Mapping[str, Source], declared: frozenset[str], context: Context
) -> dict[str, Entity]:
    """Return the entities; that a group's source has their keys is checked where the two are joined."""
    found = {}
    for name, spec in specs.items():
        _listed(name, spec, sources, declared, context)
        span = context.span(("entities", name), key=True)
        found[name] = Entity(name, tuple(spec.key), spec.source, tuple(spec.title), spec.describe, span)
    return found


def _listed(
    name: str, spec: EntitySpec, sources: Mapping[str, Source], declared: frozenset[str], context: Context
) -> None:
    """Hold the key and the title of an entity against the table that lists it."""
    if spec.source is None:
        if spec.title:
            what = f"`entities.{name}` has a `title`, and no table lists them"
            context.report("E2061", what, ("entities", name, "title"), expected="`from: …` beside it")
        return
    if spec.source not in sources:
        if spec.source not in declared:
            what = f"`entities.{name}.from` refers to source `{spec.source}`, which is not declared"
            context.unknown("E2004", what, ("entities", name, "from"), spec.source, declared)
        return
    source = sources[spec.source]
    for role, columns in (("key", spec.key), ("title", spec.title)):
        for column in columns:
            if source.column(column) is None:
                what = f"`entities.{name}.{role}` names the column `{column}`, which `sources.{source.name}` lacks"
                names = [one.name for one in source.columns]
                context.unknown("E2003", what, ("entities", name, role), column, names)
