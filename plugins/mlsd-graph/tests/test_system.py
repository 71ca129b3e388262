"""The reference spec on a tiny simulated stream: generated scripts run by themselves, their values held to networkx."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

import networkx as nx
import polars as pl
import pytest
import yaml
from mlsd_framework.codegen.artefacts import write
from mlsd_framework.codegen.places import process_folder
from mlsd_framework.ir.sources import Process
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.runtime.data.simulate import write_cards
from mlsd_framework.spec.document import read_document
from mlsd_framework.targets import artefacts

pytestmark = pytest.mark.process
SPEC = Path(__file__).parents[1] / "specs" / "fraud_rings.yaml"
TINY = {"profile": "extended", "customers": 120, "terminals": 50, "days": 50, "start": "2018-04-01", "seed": 3}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The project's folder with features, training set, and the payments that they came from."""
    folder = tmp_path_factory.mktemp("rings")
    data = read_document(SPEC).data
    for source in data["sources"].values():
        source["with"] = dict(TINY)
    (folder / "rings.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    compiled = compile_spec(folder / "rings.yaml")
    system = compiled.system
    write(folder / "generated" / system.name, {one.path: one.text for one in artefacts(system, compiled.registry)})
    origin = system.source("payments").origin
    assert isinstance(origin, Process)
    data_folder = folder / process_folder(origin, system)
    write_cards(data_folder, **dict(origin.settings))
    for script in ("features", "dataset"):
        environment = {**os.environ, "MLSD_PROJECT": str(folder)}
        words = [sys.executable, str(folder / "generated" / system.name / "training" / f"{script}.py")]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / ".mlsd" / system.name, pl.read_parquet(data_folder / "payments.parquet")


def graph_at(payments, moment):
    """The graph of the 30 days before a moment, a pair of cards at a time."""
    seen = payments.filter((pl.col("ts") >= moment - 30 * DAY) & (pl.col("ts") < moment))
    graph = nx.Graph()
    graph.add_nodes_from(seen["card_id"].unique().to_list())
    pairs = seen.select("card_id", "device_id").drop_nulls().unique()
    for _, cards in pairs.group_by("device_id"):
        graph.add_edges_from(combinations(sorted(cards["card_id"].to_list()), 2))
    return graph


def wanted(graph, card):
    """What the features of a card are in a graph."""
    if card not in graph:
        return {"degree": 0, "shared_neighbours": 0, "component_size": 1}
    near = set(graph[card])
    return {
        "degree": len(near),
        "shared_neighbours": max((len(near & set(graph[one])) for one in near), default=0),
        "component_size": len(nx.node_connected_component(graph, card)),
    }


def test_the_training_set_is_point_in_time(made):
    """In 300 random rows the features are those of the graph that was known at the last midnight before."""
    workspace, payments = made
    dataset = pl.read_parquet(workspace / "dataset.parquet")
    graphs = {}
    rows = dataset.sample(300, seed=1).to_dicts()
    for row in rows:
        moment = row["ts"] - (row["ts"] - EPOCH) % DAY
        graph = graphs.setdefault(moment, graph_at(payments, moment))
        for name, value in wanted(graph, row["card_id"]).items():
            assert row[f"device_graph.{name}"] == value, (row["payment_id"], name)
    assert max(row["device_graph.degree"] for row in rows) > 1


def test_the_stored_rows_are_the_last_snapshot(made):
    """The rows for the online store are the graph of the last midnight of the log, one a card."""
    workspace, payments = made
    rows = pl.read_parquet(workspace / "features" / "device_graph.parquet")
    last = payments["ts"].max()
    moment = last - (last - EPOCH) % DAY
    graph = graph_at(payments, moment)
    assert rows["event_timestamp"].unique().to_list() == [moment]
    assert rows["card_id"].to_list() == sorted(graph)
    for row in rows.to_dicts():
        assert {name: row[name] for name in ("degree", "shared_neighbours", "component_size")} == wanted(
            graph, row["card_id"]
        )
