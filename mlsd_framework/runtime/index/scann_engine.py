"""ScaNN as an engine: a tree, asymmetric hashing, and a second look with the vectors themselves.

It is asked through its C++ object. Its Python wrapper keeps ids in a dict and writes them with pickle; here rows are
rows, and files are protocol buffers and arrays. Searches of it leave Python's lock, changes of it are not safe beside
them: the engine is never changed once it is built.
"""

import contextlib
import math
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.index.door import Kind, Rows, Scores, Vectors

LEAST_ROWS = 1_024
"""Below this many rows there is no tree worth having."""

PARALLEL = 32
"""From this many queries on, threads are worth their start."""

ASSETS = "scann_assets.pbtxt"

_QUIET = threading.Lock()


class ScannSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a tree is built (`leaves`; `spill` puts rows into two leaves) and asked.

    `breadth` leaves are looked into, `depth` candidates are looked at again, for up to `k` neighbours.
    """

    leaves: int
    breadth: int
    depth: int
    k: int = 10
    spill: int = 0


class ScannEngine:
    """A built tree and how it is asked."""

    kind: Kind = "scann"

    def __init__(self, searcher: Any, rows: int, settings: ScannSettings) -> None:  # noqa: ANN401 - a C++ object
        """Take ScaNN's searcher over so many rows."""
        self._searcher = searcher
        self._rows = rows
        self._settings = settings

    def asked_with(self, settings: ScannSettings) -> "ScannEngine":
        """Return the same tree, asked otherwise."""
        return ScannEngine(self._searcher, self._rows, settings)

    def search(self, queries: Vectors, k: int, threads: int = 1) -> tuple[Rows, Scores]:
        """Return the `k` nearest rows of each query; for more than `k` of the settings it looks wider and deeper."""
        wanted = min(k, self._rows)
        breadth, depth = self._asked(k)
        parallel = threads > 1 and len(queries) >= PARALLEL
        batch = max(1, -(-len(queries) // (threads * 4))) if parallel else 0
        rows = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        if len(queries):
            found, near = self._searcher.search_batched(queries, wanted, depth, breadth, parallel, min(batch, 256))
            held = near == near  # noqa: PLR0124 - ScaNN fills up with NaN, and this is its fastest test
            rows[:, : found.shape[1]] = np.where(held, found.astype(np.int64), -1)
            scores[:, : near.shape[1]] = np.where(held, near, -np.inf)
        return rows, scores

    def effort(self, k: int) -> float:
        """Return what the looks into leaves and the second looks are worth: a hashed row about a sixteenth of a row."""
        breadth, depth = self._asked(k)
        return self._rows * breadth / self._settings.leaves / 16 + 4 * depth + self._settings.leaves

    def _asked(self, k: int) -> tuple[int, int]:
        """Return the leaves to look into and the candidates to look at again."""
        now = self._settings
        wider = math.sqrt(max(1.0, k / now.k))
        depth = min(self._rows, max(2 * k if k > now.k else k, math.ceil(now.depth * wider)))
        return min(now.leaves, math.ceil(now.breadth * wider)), depth

    def settings(self) -> Mapping[str, int]:
        """Return the settings by name."""
        return msgspec.structs.asdict(self._settings)

    def save(self, folder: Path) -> None:
        """Write ScaNN's files; it writes the vectors itself."""
        self._searcher.serialize(str(folder), True)  # noqa: FBT003 - the C++ method has no names


def build_scann(vectors: Vectors, settings: ScannSettings, threads: int = 1) -> ScannEngine:
    """Build a tree over vectors, [rows, dim], at least `LEAST_ROWS` of them (E6811 where ScaNN is not installed)."""
    pybind = _library()
    sample = min(len(vectors), max(100_000, 40 * settings.leaves))
    builder = pybind.builder(np.asarray(vectors), settings.k, "dot_product")
    builder = builder.set_n_training_threads(threads).tree(
        num_leaves=settings.leaves,
        num_leaves_to_search=settings.breadth,
        training_sample_size=sample,
        soar_lambda=1.5 if settings.spill else None,
    )
    builder = builder.score_ah(2, anisotropic_quantization_threshold=0.2, training_sample_size=min(sample, 100_000))
    with _without_remarks():
        built = builder.reorder(settings.depth).build()
    return ScannEngine(_sized(built.searcher, threads), len(vectors), settings)


def load_scann(folder: Path, rows: int, settings: Mapping[str, int], threads: int = 1) -> ScannEngine:
    """Read a tree from files that have been checked (E6806 where they are none of ScaNN's)."""
    pybind = _library()
    try:
        checked = msgspec.convert(settings, ScannSettings)
        assets = (folder / ASSETS).read_text(encoding="utf-8")
        with _without_remarks():
            searcher = pybind.scann_pybind.ScannNumpy(str(folder), assets)
        size = searcher.size()
    except (msgspec.ValidationError, OSError, ValueError, RuntimeError) as fault:
        raise RunError.of("E6806", f"ScaNN cannot read `{folder}`: {fault}") from fault
    if size != rows:
        raise RunError.of("E6806", f"ScaNN's files in `{folder}` hold {size} rows", expected=f"{rows} rows")
    return ScannEngine(_sized(searcher, threads), rows, checked)


def _sized(searcher: Any, threads: int) -> Any:  # noqa: ANN401 - a C++ object
    searcher.set_num_threads(max(1, threads))
    return searcher


def _library() -> Any:  # noqa: ANN401 - a module without types
    try:
        from scann.scann_ops.py import scann_ops_pybind  # noqa: PLC0415 - only this kind of index needs it
    except ImportError as fault:
        raise RunError.of("E6811", "ScaNN is not installed", help='pip install "mlsd[index]"') from fault
    return scann_ops_pybind


@contextlib.contextmanager
def _without_remarks() -> Iterator[None]:
    """Keep quiet what ScaNN tells of its training, on the descriptor itself: there is no setting for it.

    Whatever else the process writes there meanwhile is lost too: a service logs to a copy of its own.
    """
    with _QUIET:
        kept = os.dup(2)
        nothing = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nothing)
