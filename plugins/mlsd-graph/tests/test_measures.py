"""Measures against networkx on small random graphs, and against brute force where networkx has none."""

from collections import Counter
from datetime import UTC, datetime
from itertools import combinations

import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_graph.runtime.measures import Measures
from mlsd_graph.runtime.network import network
from mlsd_graph.runtime.snapshot import snapshot

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
SCHEMA = {"card": pl.Int64, "device": pl.String, "terminal": pl.Int64}
NAMES = ("degree", "shared_neighbours", "component_size", "community", "community_size", "pagerank", "hub_values")

logs = st.lists(
    st.tuples(st.integers(0, 9) | st.none(), st.sampled_from([*"abcdefg", None]), st.integers(100, 104) | st.none()),
    max_size=30,
)
links = st.sampled_from([("device",), ("terminal",), ("device", "terminal")])
caps = st.sampled_from([2, 3, 100])


def frame_of(log):
    """The log as a frame."""
    return pl.DataFrame(log, schema=SCHEMA, orient="row")


def oracle(log, by, hub_above):
    """The graph, a pair of cards at a time, and each card's hubs."""
    graph, hubs, places = nx.Graph(), Counter(), {"device": 1, "terminal": 2}
    graph.add_nodes_from(sorted({row[0] for row in log if row[0] is not None}))
    for column in (places[name] for name in by):
        for value in {row[column] for row in log if row[column] is not None}:
            cards = sorted({row[0] for row in log if row[column] == value and row[0] is not None})
            if len(cards) > hub_above:
                hubs.update(cards)
                continue
            for one, other in combinations(cards, 2):
                weight = graph.get_edge_data(one, other, {"weight": 0})["weight"]
                graph.add_edge(one, other, weight=weight + 1)
    return graph, hubs


def measured(log, by, hub_above=100, seed=0):
    """The snapshot of a log by card."""
    past = {"log": frame_of(log)}
    rows = snapshot(past, MOMENT, entity=("card",), by=by, measures=NAMES, hub_above=hub_above, seed=seed).rows
    return {row["card"]: row for row in rows.to_dicts()}


@settings(max_examples=200, deadline=None)
@given(logs, links, caps)
def test_measures_equal_networkx(log, by, hub_above):
    """Degrees, components, common neighbours, PageRank and hubs are those of the graph built pair by pair."""
    graph, hubs = oracle(log, by, hub_above)
    found = measured(log, by, hub_above)
    assert list(found) == sorted(graph)
    ranks = nx.pagerank(graph, tol=1e-12, max_iter=1000) if graph else {}
    component = {node: nodes for nodes in nx.connected_components(graph) for node in nodes}
    for node, row in found.items():
        neighbours = set(graph[node])
        assert row["degree"] == len(neighbours)
        assert row["component_size"] == len(component[node])
        assert row["shared_neighbours"] == max((len(neighbours & set(graph[one])) for one in neighbours), default=0)
        assert row["pagerank"] == pytest.approx(ranks[node] * len(graph), abs=1e-6)
        assert row["hub_values"] == hubs[node]


@settings(max_examples=100, deadline=None)
@given(logs, links)
def test_communities_are_connected_parts_named_by_their_first_member(log, by):
    """Each community hangs together, has the size that is said, and is named by its smallest key."""
    graph, _ = oracle(log, by, 100)
    found = measured(log, by)
    members = {}
    for node, row in found.items():
        members.setdefault(row["community"], set()).add(node)
    for name, nodes in members.items():
        assert name == str(min(nodes))
        assert nx.is_connected(graph.subgraph(nodes))
        assert {found[node]["community_size"] for node in nodes} == {len(nodes)}


@settings(max_examples=60, deadline=None)
@given(logs, links, caps, st.randoms(use_true_random=False))
def test_the_order_of_events_changes_nothing(log, by, hub_above, random):
    """The same events in any order, and any of them twice, give the same snapshot, communities included."""
    shuffled = [*log, *log[:5]]
    random.shuffle(shuffled)
    assert measured(shuffled, by, hub_above) == measured(log, by, hub_above)


def test_planted_rings_are_found():
    """Six cards on two devices of their own are one community, whatever joins two rings loosely."""
    log = [(card, f"ring {card // 6} {device}", None) for card in range(18) for device in range(2)]
    log += [(5, "bridge", None), (6, "bridge", None)]
    found = measured(log, ("device",))
    assert {card: found[card]["community"] for card in range(18)} == {card: str(card // 6 * 6) for card in range(18)}
    assert {found[card]["component_size"] for card in range(12)} == {12}


def test_another_seed_is_another_draw_of_the_same_quality():
    """A seed decides ties only: the modularity of what is found stays close."""
    rng = np.random.default_rng(1)
    log = [(int(card), f"d{rng.integers(0, 60)}", None) for card in rng.integers(0, 120, 400)]
    graph, _ = oracle(log, ("device",), 100)
    scores = []
    for seed in range(4):
        found = measured(log, ("device",), seed=seed)
        parts = {}
        for node, row in found.items():
            parts.setdefault(row["community"], set()).add(node)
        scores.append(nx.community.modularity(graph, parts.values()))
        assert measured(log, ("device",), seed=seed) == found
    assert max(scores) - min(scores) < 0.05
    assert min(scores) > nx.community.modularity(graph, nx.community.louvain_communities(graph, seed=1)) - 0.05


def test_chance_elsewhere_is_left_alone():
    """Measuring neither uses nor changes the random numbers of the program that it runs in."""
    import random  # noqa: PLC0415 - what is looked at

    random.seed(5)
    before = random.getstate()
    measured([(card, "d", None) for card in range(6)], ("device",))
    assert random.getstate() == before


def test_an_empty_past_is_an_empty_snapshot():
    """Before the first event there is nobody; the columns are there, with their types."""
    made = snapshot(
        {"log": frame_of([])}, MOMENT, entity=("card",), by=("device",), measures=NAMES, hub_above=2, seed=0
    )
    assert made.rows.columns == ["card", *NAMES]
    assert made.rows.height == 0
    assert made.left_out == {"hubs": 0}
    assert made.rows.schema["community"] == pl.String
    assert made.rows.schema["degree"] == pl.Int64


def test_keys_of_several_columns_and_logs_of_several_sources():
    """Entities meet over values in different logs, and a key of two columns is one entity."""
    payments = pl.DataFrame({"bank": ["a", "a", "b"], "card": [1, 2, 1], "device": ["x", "y", "x"]})
    logins = pl.DataFrame({"bank": ["a", "b"], "card": [2, 9], "device": ["z", "z"], "address": ["home", "home"]})
    past = {"payments": payments, "logins": logins}
    graph = network(past, ("bank", "card"), ("device", "address"), 100)
    assert graph.entities.rows() == [("a", 1), ("a", 2), ("b", 1), ("b", 9)]
    assert graph.shared.toarray().tolist() == [[0, 0, 1, 0], [0, 0, 0, 2], [1, 0, 0, 0], [0, 2, 0, 0]]
    names = Measures(graph, 0).of(("community",))[0].to_list()
    assert names == ["a/1", "a/2", "a/1", "a/2"]


def test_hubs_are_counted():
    """A value of more entities than the cap links nobody; it is counted once, and for each of them."""
    log = [(card, "everybody", None) for card in range(5)] + [(0, "two", None), (1, "two", None)]
    graph = network({"log": frame_of(log)}, ("card",), ("device",), 4)
    assert graph.hubs == 1
    assert graph.hub_values.tolist() == [1, 1, 1, 1, 1]
    assert np.diff(graph.shared.indptr).tolist() == [1, 1, 0, 0, 0]
