"""Measures of a graph, one function each: a value a node, in the order of the nodes."""

import random
from collections.abc import Callable, Mapping
from typing import Final

import igraph
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from mlsd_graph.runtime.network import Network

Integers = NDArray[np.int64]
Measured = Integers | NDArray[np.float64] | pl.Series

_DAMPING: Final = 0.85


def degree(graph: Network, _: int) -> Integers:
    """Return how many neighbours each node has."""
    return np.diff(graph.shared.indptr).astype(np.int64)


def shared_neighbours(graph: Network, _: int) -> Integers:
    """Return, for each node, the most neighbours that it has in common with one of its neighbours."""
    edges = csr_array(graph.shared.astype(bool).astype(np.int64))
    common = csr_array((edges @ edges).multiply(edges))
    return _largest(common)


def component_size(graph: Network, _: int) -> Integers:
    """Return how many nodes each node is linked to, directly or over others, itself among them."""
    if graph.entities.is_empty():
        return np.zeros(0, np.int64)
    _, label = connected_components(graph.shared, directed=False)
    return np.bincount(label)[label].astype(np.int64)


def pagerank(graph: Network, _: int) -> NDArray[np.float64]:
    """Return each node's PageRank over edges weighted by shared values, times the number of nodes: the mean is 1."""
    if graph.entities.is_empty():
        return np.zeros(0)
    linked, weights = _igraph(graph)
    found = linked.pagerank(directed=False, damping=_DAMPING, weights=weights, implementation="prpack")
    return np.asarray(found) * len(found)


def community(graph: Network, seed: int) -> pl.Series:
    """Return the name of each node's community: the key of its smallest member, parts of a key joined by `/`."""
    names = graph.entities.select(pl.concat_str(pl.all().cast(pl.String), separator="/").alias("community"))
    return names.to_series().gather(_first_members(graph, seed))


def community_size(graph: Network, seed: int) -> Integers:
    """Return how many nodes each node's community has."""
    first = _first_members(graph, seed)
    return np.bincount(first, minlength=len(first))[first].astype(np.int64)


def hub_values(graph: Network, _: int) -> Integers:
    """Return how many of each node's values are hubs, which link nobody."""
    return graph.hub_values


MEASURES: Final[Mapping[str, Callable[[Network, int], Measured]]] = {
    one.__name__: one
    for one in (degree, shared_neighbours, component_size, pagerank, community, community_size, hub_values)
}


def _first_members(graph: Network, seed: int) -> Integers:
    """Return the smallest member of each node's community, found by Leiden's method for the best modularity.

    Nodes and edges come in order of the keys and chance is seeded, so that the same graph has the same communities.
    """
    number = len(graph.entities)
    linked, weights = _igraph(graph)
    if not linked.ecount():
        return np.arange(number)
    igraph.set_random_number_generator(random.Random(seed))  # noqa: S311 - no secret depends on it
    try:
        found = linked.community_leiden(objective_function="modularity", weights=weights, n_iterations=-1)
    finally:
        igraph.set_random_number_generator(random)
    label = np.asarray(found.membership)
    first = np.full(label.max() + 1, number)
    np.minimum.at(first, label, np.arange(number))
    return first[label]


def _igraph(graph: Network) -> tuple[igraph.Graph, list[int]]:
    above = graph.shared.tocoo()
    upper = above.row < above.col
    edges = np.column_stack([above.row[upper], above.col[upper]])
    return igraph.Graph(n=len(graph.entities), edges=edges), above.data[upper].tolist()


def _largest(matrix: csr_array) -> Integers:
    """Return the largest entry of each row, 0 in an empty one."""
    if matrix.shape[0] == 0:
        return np.zeros(0, np.int64)
    return np.asarray(matrix.max(axis=1).todense()).ravel().astype(np.int64)
