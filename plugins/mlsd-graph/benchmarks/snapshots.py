"""Daily snapshots of the graph of cards that share devices, beside networkx on the last of them.

    python benchmarks/snapshots.py [--quick]

The payments are simulated as in `specs/fraud_rings.yaml`; every payment asks for its card's features.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import networkx as nx
import polars as pl
from mlsd_framework.runtime.data.simulate import write_cards
from mlsd_framework.runtime.features.derived import DerivedGroup, Reading
from mlsd_framework.runtime.features.snapshots import derived_features
from mlsd_framework.runtime.features.windows import FeatureColumn

from mlsd_graph.runtime.snapshot import snapshot

MEASURES = ("degree", "shared_neighbours", "component_size", "pagerank")
DAY = timedelta(days=1)


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def group_of(window: timedelta | None, measures: tuple[str, ...]) -> DerivedGroup:
    """Return the group of a spec with these measures."""
    types = {"pagerank": "float64", "community": "string"}
    columns = tuple(FeatureColumn(name, types.get(name, "int64")) for name in measures)
    reading = Reading("payments", ("card_id", "device_id"), "ts", key=("payment_id",), distinct=True)
    settings = {"entity": ("card_id",), "by": ("device_id",), "measures": measures, "hub_above": 100, "seed": 0}
    return DerivedGroup("graph", ("card_id",), (reading,), snapshot, columns, DAY, window, settings=settings)


def by_networkx(seen: pl.DataFrame) -> None:
    """Measure the same with networkx."""
    graph = nx.Graph()
    graph.add_nodes_from(seen["card_id"].unique().to_list())
    for _, cards in seen.drop_nulls().group_by("device_id"):
        graph.add_edges_from(combinations(cards["card_id"].to_list(), 2))
    dict(graph.degree)
    list(nx.connected_components(graph))
    nx.pagerank(graph)
    for one in graph:
        near = set(graph[one])
        max((len(near & set(graph[other])) for other in near), default=0)


def main() -> None:
    """Simulate, then measure."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="a tenth of the stream")
    size = 500 if arguments.parse_args().quick else 5000
    with tempfile.TemporaryDirectory() as folder:
        write_cards(Path(folder), profile="extended", customers=size, terminals=2 * size, days=183, seed=7)
        payments = pl.read_parquet(Path(folder) / "payments.parquet")
    frames, asked = {"payments": payments}, payments.select("card_id", "ts")
    days = asked["ts"].dt.date().n_unique()
    print(f"{payments.height:,} payments, {payments['card_id'].n_unique():,} cards, {days} snapshots")
    for words, window in (("30 days", 30 * DAY), ("lifetime", None)):
        group = group_of(window, (*MEASURES, "community", "community_size"))
        took = seconds(lambda group=group: derived_features(frames, asked, group, time="ts"))
        print(f"{words}: {took:.1f} s, {took / days * 1000:.0f} ms a snapshot")
    pairs = payments.select("card_id", "device_id").unique()
    settings = group_of(None, MEASURES).settings
    ours = min(seconds(lambda: snapshot({"payments": pairs}, payments["ts"].max(), **settings)) for _ in range(5))
    peer = min(seconds(lambda: by_networkx(pairs)) for _ in range(5))
    print(f"one graph of the lifetime, without communities: networkx takes {peer / ours:.1f} x the time")


if __name__ == "__main__":
    main()
