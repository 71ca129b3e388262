"""`kind: graph` for the compiler: which columns link which entities, and the features that come out."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from mlsd_framework.ir.features import Reading
from mlsd_framework.ir.sources import Column, Source
from mlsd_framework.ir.types import FLOAT64, INT64, INTEGERS, STRING
from mlsd_framework.lower.kinds import DerivedFeature, GroupDraft
from mlsd_framework.lower.scope import GroupScope

from mlsd_graph.spec import GraphSpec

_MEASURES: Final = {
    "degree": (INT64, 0, "{entities} that share {by} with the {entity}"),
    "shared_neighbours": (INT64, 0, "most neighbours that the {entity} has in common with one of them"),
    "component_size": (INT64, 1, "{entities} linked to the {entity}, directly or over others, itself among them"),
    "community": (STRING, None, "community of the {entity} by shared {by}, named by its first member"),
    "community_size": (INT64, 1, "{entities} in the community of the {entity}"),
    "pagerank": (FLOAT64, None, "PageRank of the {entity} by shared {by}, 1 being the mean"),
    "hub_values": (INT64, 0, "values of the {entity} that too many share to link anybody"),
}


class Graph:
    """Measures of the graph of entities that share values of attributes."""

    name = "graph"
    spec = GraphSpec
    function = "mlsd_graph.runtime.snapshot:snapshot"

    def lower(self, spec: Any, scope: GroupScope) -> GroupDraft | None:
        """Find the key and the linking columns in the sources, and hold their types against each other."""
        before = len(scope.context.faults)
        _settings(spec, scope)
        readings = tuple(self._reading(spec, scope, index) for index in range(len(scope.sources)))
        for index, name in enumerate(spec.by):
            holders = [source for source in scope.sources if source.column(name) is not None]
            if not holders:
                scope.column(scope.sources[0], name, "by", index)
            _linking(name, holders, scope, "by", index)
        if len(scope.context.faults) > before:
            return None
        settings = (
            ("entity", scope.entity.key),
            ("by", tuple(spec.by)),
            ("measures", tuple(spec.measures)),
            ("hub_above", spec.hub_above),
            ("seed", spec.seed),
        )
        window = None if spec.window == "lifetime" else spec.window
        return GroupDraft(tuple(_features(spec, scope)), readings, settings, window)

    @staticmethod
    def _reading(spec: GraphSpec, scope: GroupScope, index: int) -> Reading:
        """Return what is read of a source: the key, and those of the linking columns that it has."""
        source = scope.sources[index]
        for name in scope.entity.key:
            column = scope.column(source, name, "from", index)
            first = scope.sources[0].column(name)
            if column is not None and first is not None and _family(column) != _family(first):
                what = f"`{name}` is of type `{column.type}` in `{source.name}`"
                help_ = f"in `{scope.sources[0].name}` it is `{first.type}`"
                scope.context.report("E2031", what, (*scope.at, "from", index), help=help_)
        links = tuple(name for name in spec.by if source.column(name) is not None)
        if not links and index:
            what = f"`{'.'.join(map(str, scope.at))}` reads `{source.name}`, which has none of the columns in `by`"
            scope.context.report(
                "E2003", what, (*scope.at, "from", index), expected=f"a source with one of: {', '.join(spec.by)}"
            )
        return Reading(source.name, (*scope.entity.key, *links), distinct=True)


def _settings(spec: GraphSpec, scope: GroupScope) -> None:
    where = ".".join(map(str, scope.at))
    for key in ("by", "measures"):
        named = getattr(spec, key)
        for index, name in enumerate(named):
            if name in named[:index]:
                scope.context.report("E2010", f"`{where}.{key}` names `{name}` twice", (*scope.at, key, index))
    for index, name in enumerate(spec.by):
        if name in scope.entity.key:
            what = f"`{where}` links entities by `{name}`, which tells them apart"
            scope.context.report("E2032", what, (*scope.at, "by", index), expected="a column that entities can share")
    if isinstance(spec.window, timedelta) and spec.window <= timedelta(0):
        scope.context.report(
            "E2032", f"the window of `{where}` is empty", (*scope.at, "window"), expected="a length such as `30d`"
        )


def _linking(name: str, holders: list[Source], scope: GroupScope, *at: str | int) -> None:
    """Report a linking column that has no values to compare, or not the same in all sources."""
    found = [(source, column) for source in holders if (column := source.column(name)) is not None]
    for source, column in found:
        if _family(column) is None:
            what = f"`{'.'.join(map(str, scope.at))}` links entities by `{name}` of type `{column.type}`"
            scope.context.report("E2031", what, (*scope.at, *at), expected="text or a whole number")
            return
        if _family(column) != _family(found[0][1]):
            what = f"`{name}` is `{found[0][1].type}` in `{found[0][0].name}` and `{column.type}` in `{source.name}`"
            scope.context.report("E2031", what, (*scope.at, *at), help="give the two columns one type")
            return


def _family(column: Column) -> str | None:
    if column.type.text:
        return "text"
    if column.type.name in INTEGERS:
        return "integer"
    return "bool" if column.type.name == "bool" else None


def _features(spec: GraphSpec, scope: GroupScope) -> Iterator[DerivedFeature]:
    words = {
        "entity": scope.entity.name.replace("_", " "),
        "by": " or ".join(name.replace("_", " ") for name in spec.by),
    }
    for name in spec.measures:
        type_, default, text = _MEASURES[name]
        said = text.format(**words, entities=f"other {words['entity']}s" if name == "degree" else f"{words['entity']}s")
        yield DerivedFeature(name, type_, default, said)
