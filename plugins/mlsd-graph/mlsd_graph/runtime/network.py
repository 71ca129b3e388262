"""From events to the graph of one snapshot: entities in order of their keys, and a matrix of what they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

_ENTITY, _VALUE = "__entity", "__value"
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Network:
    """A graph without loops.

    `entities` has a row a node, sorted by the key. `shared[i, j]` is how many values `i` and `j` have in common, 0 for
    those that are no neighbours. `hub_values` counts, for each entity, its values that are hubs; `hubs` all of them.
    """

    entities: pl.DataFrame
    shared: csr_array
    hub_values: Integers
    hubs: int


def network(past: Mapping[str, pl.DataFrame], entity: Sequence[str], by: Sequence[str], hub_above: int) -> Network:
    """Link the entities that have a value of a column of `by` in common.

    A null links nothing. A value that more than `hub_above` entities have is a hub: it links none of them.
    """
    key = list(entity)
    seen = pl.concat([frame.drop_nulls(key) for frame in past.values()], how="diagonal_relaxed")
    entities = seen.select(key).unique().sort(key).with_row_index(_ENTITY)
    number = len(entities)
    numbered = seen.join(entities, on=key, how="left", maintain_order="left")
    shared = csr_array((number, number), dtype=np.int64)
    hub_values = np.zeros(number, np.int64)
    hubs = 0
    for name in by:
        has = _incidence(numbered.select(_ENTITY, pl.col(name).alias(_VALUE)), number)
        users = np.diff(has.indptr)
        is_hub = users > hub_above
        hubs += int(is_hub.sum())
        hub_values += np.asarray(has[:, is_hub].sum(axis=1), np.int64)
        links = has[:, (users > 1) & ~is_hub]
        shared = shared + links @ links.T
    shared = csr_array(shared)
    shared.setdiag(0)
    shared.eliminate_zeros()
    shared.sort_indices()
    return Network(entities.drop(_ENTITY), shared, hub_values, hubs)


def _incidence(links: pl.DataFrame, number: int) -> csc_array:
    """Return the matrix of entities by values: 1 where an entity has a value."""
    pairs = links.drop_nulls().unique()
    values = pairs.get_column(_VALUE).rank("dense").to_numpy().astype(np.int64) - 1
    width = int(values.max()) + 1 if len(values) else 0
    rows = pairs.get_column(_ENTITY).to_numpy().astype(np.int64)
    return csc_array((np.ones(len(pairs), np.int64), (rows, values)), shape=(number, width))
