"""Engines by kind: built with given settings or usual ones, asked otherwise, read from files."""

import math
from collections.abc import Mapping
from pathlib import Path

from mlsd_framework.runtime.index.door import Engine, Kind, Vectors
from mlsd_framework.runtime.index.exact import ExactEngine
from mlsd_framework.runtime.index.faiss_engine import FaissEngine, FaissSettings, build_faiss, load_faiss
from mlsd_framework.runtime.index.scann_engine import (
    LEAST_ROWS,
    ScannEngine,
    ScannSettings,
    build_scann,
    load_scann,
)

GRAPH_LINKS = 16


def build_engine(kind: Kind, vectors: Vectors, settings: Mapping[str, int], threads: int = 1) -> Engine:
    """Build an engine over vectors, [rows, dim]; few rows get the exact one, whatever the kind (E6811)."""
    if kind == "exact" or len(vectors) < LEAST_ROWS:
        return ExactEngine(vectors)
    given = {**usual_settings(kind, len(vectors)), **settings}
    if kind == "scann":
        return build_scann(vectors, ScannSettings(**given), threads)
    return build_faiss(vectors, kind, FaissSettings(**given), threads)


def load_engine(kind: Kind, folder: Path, vectors: Vectors, settings: Mapping[str, int], threads: int = 1) -> Engine:
    """Read an engine whose files have been checked (E6806, E6811)."""
    if kind == "exact":
        return ExactEngine(vectors)
    if kind == "scann":
        return load_scann(folder, len(vectors), settings, threads)
    return load_faiss(folder, len(vectors), vectors.shape[1], kind, settings)


def asked_with(engine: Engine, breadth: int, depth: int, k: int) -> Engine:
    """Return the same structure, asked otherwise."""
    now = {**engine.settings(), "breadth": breadth, "depth": depth, "k": k}
    if isinstance(engine, ScannEngine):
        return engine.asked_with(ScannSettings(**now))
    if isinstance(engine, FaissEngine):
        return engine.asked_with(FaissSettings(**now))
    return engine


def usual_settings(kind: Kind, rows: int, k: int = 10) -> dict[str, int]:
    """Return settings that suit many catalogues of so many rows."""
    if kind == "exact":
        return {}
    if kind == "faiss-hnsw":
        return {"leaves": GRAPH_LINKS, "breadth": 64, "depth": k, "k": k}
    leaves = usual_leaves(rows)
    return {"leaves": leaves, "breadth": min(leaves, max(16, leaves // 8)), "depth": 10 * k, "k": k}


def usual_leaves(rows: int) -> int:
    """Return twice the square root of the rows: leaves of a few hundred each."""
    return max(1, min(rows // 40, round(2 * math.sqrt(rows))))
