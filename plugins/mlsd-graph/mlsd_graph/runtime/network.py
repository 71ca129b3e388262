"""From events to the graph of one snapshot: entities in order of their keys, and a matrix of what they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

_ENTITY, _VALUE, _SHARED = "__entity", "__value", "__shared"


@dataclass(frozen=True, slots=True)
class Network:
    """A graph without loops.

    `entities` has a row a node, sorted by the key. `shared[i, j]` is how many values `i` and `j` have in common, 0 for
    those that are no neighbours. `hub_values` counts, for each entity, its values that are hubs; `hubs` all of them.
    """

    entities: pl.DataFrame
    shared: csr_array
    hub_values: NDArray[np.int64]
    hubs: int


def network(past: Mapping[str, pl.DataFrame], entity: Sequence[str], by: Sequence[str], hub_above: int) -> Network:
    """Link the entities that have a value of a column of `by` in common.

    A null links nothing. A value that more than `hub_above` entities have is a hub: it links none of them.
    """
    key = list(entity)
    entities = (
        pl.concat([frame.select(key).drop_nulls().unique() for frame in past.values()], how="vertical_relaxed")
        .unique()
        .sort(key)
        .with_row_index(_ENTITY)
    )
    number = len(entities)
    shared = csr_array((number, number), dtype=np.int64)
    hub_values = np.zeros(number, np.int64)
    hubs = 0
    for name in by:
        links = _links(past, key, name, entities)
        of_hubs = links.filter(pl.col(_SHARED) > hub_above)
        hubs += of_hubs.get_column(_VALUE).n_unique()
        hub_values += np.bincount(of_hubs.get_column(_ENTITY).to_numpy(), minlength=number)
        has = _incidence(links.filter(pl.col(_SHARED).is_between(2, hub_above)), number)
        shared = shared + has @ has.T
    shared = csr_array(shared)
    shared.setdiag(0)
    shared.eliminate_zeros()
    shared.sort_indices()
    return Network(entities.drop(_ENTITY), shared, hub_values, hubs)


def _links(past: Mapping[str, pl.DataFrame], key: list[str], name: str, entities: pl.DataFrame) -> pl.DataFrame:
    """Return each pair of an entity and a value that it has, once, with how many entities have that value."""
    pairs = [frame.select(*key, name).drop_nulls().unique() for frame in past.values() if name in frame.columns]
    return (
        pl.concat(pairs, how="vertical_relaxed")
        .unique()
        .join(entities, on=key, how="inner")
        .select(_ENTITY, pl.col(name).rank("dense").alias(_VALUE))
        .with_columns(pl.len().over(_VALUE).alias(_SHARED))
    )


def _incidence(links: pl.DataFrame, number: int) -> csr_array:
    """Return the matrix of entities by values: 1 where an entity has a value."""
    values = links.get_column(_VALUE).rank("dense").to_numpy().astype(np.int64) - 1
    width = int(values.max()) + 1 if len(values) else 0
    ones = np.ones(len(links), np.int64)
    return csr_array((ones, (links.get_column(_ENTITY).to_numpy().astype(np.int64), values)), shape=(number, width))
