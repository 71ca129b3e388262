"""Lower `entities`."""

from collections.abc import Mapping

from mlsd_framework.ir.entities import Entity
from mlsd_framework.lower.context import Context
from mlsd_framework.spec.entities import EntitySpec


def lower_entities(specs: Mapping[str, EntitySpec], context: Context) -> dict[str, Entity]:
    """Return the entities; that sources have their keys is checked where a group joins the two."""
    return {
        name: Entity(name, tuple(spec.key), spec.describe, context.span(("entities", name), key=True))
        for name, spec in specs.items()
    }
