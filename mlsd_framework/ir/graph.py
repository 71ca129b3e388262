"""The dependency graph of a spec: what each declared thing is made from, and what is made from it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlsd_framework.ir.expressions import Expression, columns
from mlsd_framework.ir.features import FeatureGroup, RequestGroup, StoredGroup, WindowGroup
from mlsd_framework.ir.serving import Endpoint
from mlsd_framework.ir.system import System

if TYPE_CHECKING:
    import networkx as nx

Edge = tuple[str, str]


def dependency_graph(system: System) -> "nx.DiGraph[str]":
    """Return a graph whose edges run from what is needed to what needs it.

    Nodes are places of the spec: `sources.payments`, `entities.card`, `features.payment`, `label`, `models.fraud`,
    `serving./decide`; they come in the order of the spec. Circles were refused before.
    """
    import networkx as nx  # noqa: PLC0415 - 0.1 s that only those who ask for the graph pay

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(f"sources.{source.name}" for source in system.sources)
    graph.add_nodes_from(f"entities.{entity.name}" for entity in system.entities)
    graph.add_nodes_from(f"features.{group.name}" for group in system.features)
    graph.add_nodes_from(["label"] if system.label is not None else [])
    graph.add_nodes_from(f"models.{model.name}" for model in system.models)
    graph.add_nodes_from(f"serving.{endpoint.path}" for endpoint in system.serving)
    graph.add_edges_from(_edges(system))
    return graph


def _edges(system: System) -> Iterator[Edge]:
    if system.label is not None:
        yield from ((f"sources.{name}", "label") for name in dict.fromkeys((system.label.source, system.label.of)))
    for group in system.features:
        yield from _of_group(group, system)
    for model in system.models:
        place = f"models.{model.name}"
        for ref in model.features:
            yield (f"features.{ref.group}", place) if ref.group else (_examples(system), place)
        if model.label is not None:
            yield "label", place
    for endpoint in system.serving:
        yield from _of_endpoint(endpoint, system)


def _of_group(group: FeatureGroup, system: System) -> Iterator[Edge]:
    place = f"features.{group.name}"
    yield from ((f"sources.{source}", place) for source in group.sources)
    if isinstance(group, StoredGroup):
        yield from (
            (f"entities.{entity.name}", place) for entity in system.entities if set(entity.key) <= set(group.key)
        )
    for expression in _expressions(group):
        for column in columns(expression):
            if column.qualifier is not None and column.qualifier != group.name:
                yield f"features.{column.qualifier}", place
            elif system.label is not None and column.name == system.label.name and isinstance(group, WindowGroup):
                yield "label", place


def _expressions(group: FeatureGroup) -> Iterator[Expression]:
    if isinstance(group, RequestGroup):
        yield from (one.expression for one in group.computed)
    elif isinstance(group, WindowGroup):
        for one in group.aggregates:
            yield from (expression for expression in (one.value, one.where) if expression is not None)


def _of_endpoint(endpoint: Endpoint, system: System) -> Iterator[Edge]:
    place = f"serving.{endpoint.path}"
    outputs = {output.name: model.name for model in system.models for output in model.outputs}
    groups = {group.name for group in system.features}
    if endpoint.source is not None:
        yield f"sources.{endpoint.source}", place
    for stage in endpoint.pipeline:
        for value in (*stage.reads, *stage.writes):
            if value.group in groups:
                yield f"features.{value.group}", place
            elif value.group is None and value.name in outputs:
                yield f"models.{outputs[value.name]}", place


def _examples(system: System) -> str:
    return f"sources.{system.examples.name}" if system.examples is not None else "label"
