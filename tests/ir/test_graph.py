"""The dependency graph: edges run from what is needed to what needs it."""

from pathlib import Path

import networkx as nx
import pytest

from mlsd_framework.ir.graph import dependency_graph
from mlsd_framework.plan.compilation import compile_spec

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def graph() -> "nx.DiGraph[str]":
    """Return the graph of the card-fraud system."""
    return dependency_graph(compile_spec(ROOT / "specs" / "fraud.yaml").system)


def test_everything_declared_is_a_node_and_there_is_no_circle(graph: "nx.DiGraph[str]") -> None:
    """Sources, entities, groups, the label, models and endpoints are there, in an order of need."""
    assert nx.is_directed_acyclic_graph(graph)
    assert {"sources.payments", "entities.card", "label", "features.payment", "models.fraud", "serving./decide"} <= set(
        graph
    )


@pytest.mark.parametrize(
    ("needed", "needing"),
    [
        ("sources.payments", "features.card_activity"),
        ("entities.terminal", "features.terminal_risk"),
        ("label", "features.terminal_risk"),
        ("features.card_activity", "features.payment"),
        ("label", "models.fraud"),
        ("features.terminal_risk", "models.fraud"),
        ("sources.payments", "models.novelty"),
        ("models.novelty", "serving./decide"),
    ],
)
def test_a_need_is_an_edge(graph: "nx.DiGraph[str]", needed: str, needing: str) -> None:
    """Windows, labels, expressions, inputs and rules all leave their edge."""
    assert graph.has_edge(needed, needing)


@pytest.mark.parametrize(
    ("needed", "needing"), [("label", "models.novelty"), ("features.terminal_risk", "models.novelty")]
)
def test_what_is_not_needed_is_no_edge(graph: "nx.DiGraph[str]", needed: str, needing: str) -> None:
    """An unsupervised model needs no label, and a model only the groups of its features."""
    assert not graph.has_edge(needed, needing)
