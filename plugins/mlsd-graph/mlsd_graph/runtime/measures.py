"""Measures of the graph of one snapshot: a value a node, in the order of the nodes."""

import random
from functools import cached_property
from typing import Final

import igraph
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from mlsd_graph.runtime.network import Network

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_DAMPING: Final = 0.85
_MOST_STEPS, _CLOSE = 200, 1e-13  # 0.85 ** 200 is less than a double can tell
_ROUNDS: Final = 2  # of Leiden's method; communities are connected after each, and more change little


class Measures:
    """Measures of one graph; what several of them need is computed once."""

    def __init__(self, network: Network, seed: int) -> None:
        """Take the graph, and the seed of what is left to chance."""
        self._network = network
        self._number = len(network.entities)
        self._seed = seed

    def of(self, names: tuple[str, ...]) -> list[pl.Series]:
        """Return the measures `names`, in that order."""
        return [pl.Series(name, getattr(self, name)()) for name in names]

    def degree(self) -> Integers:
        """Return how many neighbours each node has."""
        return np.asarray(np.diff(self._network.shared.indptr), np.int64)

    def shared_neighbours(self) -> Integers:
        """Return, for each node, the most neighbours that it has in common with one of its neighbours."""
        shared = self._network.shared
        edges = csr_array((np.ones(shared.nnz, np.int64), shared.indices, shared.indptr), shape=shared.shape)
        return _largest(csr_array((edges @ edges).multiply(edges)))

    def component_size(self) -> Integers:
        """Return how many nodes each node is linked to, directly or over others, itself among them."""
        if not self._number:
            return np.zeros(0, np.int64)
        label: Integers = connected_components(self._network.shared, directed=False)[1]
        return np.bincount(label)[label].astype(np.int64, copy=False)

    def pagerank(self) -> Floats:
        """Return each node's PageRank by shared values, times the number of nodes, so that the mean is 1.

        Iterated here, in one thread: a library that adds up in several gives other last digits every time.
        """
        shared = self._network.shared
        strength = np.asarray(shared.sum(axis=1), np.float64)
        linked = strength > 0
        share = np.divide(1.0, strength, out=np.zeros(self._number), where=linked)
        rank = np.ones(self._number)
        for _ in range(_MOST_STEPS if self._number else 0):
            alone = rank[~linked].sum() / self._number  # who has no neighbour gives to all
            following = 1 - _DAMPING + _DAMPING * (shared @ (rank * share) + alone)
            moved, rank = np.abs(following - rank).max(), following
            if moved < _CLOSE:
                break
        return rank

    def community(self) -> pl.Series:
        """Return the name of each node's community: the key of its smallest member, parts of a key joined by `/`."""
        names = pl.concat_str(pl.all().cast(pl.String), separator="/")
        return self._network.entities.select(names).to_series().gather(self._first_members)

    def community_size(self) -> Integers:
        """Return how many nodes each node's community has."""
        first = self._first_members
        return np.bincount(first, minlength=self._number)[first].astype(np.int64, copy=False)

    def hub_values(self) -> Integers:
        """Return how many of each node's values are hubs, which link nobody."""
        return self._network.hub_values

    @cached_property
    def _linked(self) -> igraph.Graph:
        above = self._network.shared.tocoo()
        upper = above.row < above.col
        edges = np.column_stack([above.row[upper], above.col[upper]])
        return igraph.Graph(n=self._number, edges=edges, edge_attrs={"weight": above.data[upper].tolist()})

    @cached_property
    def _first_members(self) -> Integers:
        """Return the smallest member of each node's community, found by Leiden's method for the best modularity.

        Nodes and edges come in order of the keys and chance is seeded, so that the same graph has the same
        communities. A node without neighbours is a community of its own.
        """
        first = np.arange(self._number)
        nodes = np.flatnonzero(self.degree())
        if not len(nodes):
            return first
        chance = random.Random(self._seed)  # noqa: S311 - no secret depends on it
        igraph.set_random_number_generator(chance)
        try:
            found = self._linked.induced_subgraph(nodes.tolist()).community_leiden(
                objective_function="modularity", weights="weight", n_iterations=_ROUNDS
            )
        finally:
            igraph.set_random_number_generator(random)
        label = np.asarray(found.membership)
        smallest = np.full(label.max() + 1, self._number)
        np.minimum.at(smallest, label, nodes)
        first[nodes] = smallest[label]
        return first


def _largest(matrix: csr_array) -> Integers:
    """Return the largest entry of each row, 0 in an empty one."""
    if not matrix.shape[0]:
        return np.zeros(0, np.int64)
    return np.asarray(matrix.max(axis=1).todense(), np.int64).ravel()
