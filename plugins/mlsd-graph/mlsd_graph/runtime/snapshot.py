"""One snapshot of a group of `kind: graph`."""

from collections.abc import Mapping
from datetime import datetime

import polars as pl
from mlsd_framework.runtime.features.derived import Snapshot

from mlsd_graph.runtime.measures import Measures
from mlsd_graph.runtime.network import network


def snapshot(
    past: Mapping[str, pl.DataFrame],
    moment: datetime,  # noqa: ARG001 - what a function of a kind is called with
    /,
    *,
    entity: tuple[str, ...],
    by: tuple[str, ...],
    measures: tuple[str, ...],
    hub_above: int,
    seed: int,
) -> Snapshot:
    """Measure every entity that has an event in `past`; hubs are counted as left out."""
    graph = network(past, entity, by, hub_above)
    return Snapshot(graph.entities.with_columns(Measures(graph, seed).of(measures)), {"hubs": graph.hubs})
