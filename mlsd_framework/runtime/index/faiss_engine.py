"""FAISS as an engine: product codes in lists with a second look (IVF-PQ fast scan), or a graph (HNSW)."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.index.door import Kind, Rows, Scores, Vectors

FILE = "index.faiss"


class FaissSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a structure is built (`leaves`: lists, or links of a node) and asked for up to `k` neighbours.

    `breadth` is the lists that are looked into, or the length of the graph's queue; `depth` the candidates that are
    looked at again, which the graph has no need of.
    """

    leaves: int
    breadth: int
    depth: int
    k: int = 10


class FaissEngine:
    """A built structure and how it is asked."""

    def __init__(self, index: Any, kind: Kind, settings: FaissSettings) -> None:  # noqa: ANN401 - without types
        """Take FAISS's index."""
        self._index = index
        self.kind: Kind = kind
        self._settings = settings

    def asked_with(self, settings: FaissSettings) -> "FaissEngine":
        """Return the same structure, asked otherwise."""
        return FaissEngine(self._index, self.kind, settings)

    def search(self, queries: Vectors, k: int, threads: int = 1) -> tuple[Rows, Scores]:
        """Return the `k` nearest rows of each query; for more than `k` of the settings it looks wider and deeper."""
        library = _library()
        library.omp_set_num_threads(threads)
        breadth, depth = self._asked(k)
        if self.kind == "faiss-hnsw":
            asked = library.SearchParametersHNSW(efSearch=breadth)
        else:
            lists = library.SearchParametersIVF(nprobe=breadth)
            asked = library.IndexRefineSearchParameters(k_factor=depth / k, base_index_params=lists)
        scores, rows = self._index.search(queries, k, params=asked)
        return rows, np.where(rows >= 0, scores, np.float32(-np.inf))

    def effort(self, k: int) -> float:
        """Return what is looked at: rows of the graph out of order, or coded rows and second looks."""
        breadth, depth = self._asked(k)
        if self.kind == "faiss-hnsw":
            return 4.0 * breadth * self._settings.leaves
        return float(self._index.ntotal * breadth / self._settings.leaves / 16 + 4 * depth + self._settings.leaves)

    def _asked(self, k: int) -> tuple[int, int]:
        """Return the lists to look into, or the length of the queue, and the candidates to look at again."""
        now = self._settings
        more = max(1.0, k / now.k)
        if self.kind == "faiss-hnsw":
            return max(2 * k if k > now.k else k, math.ceil(now.breadth * math.sqrt(more))), k
        depth = max(2 * k if k > now.k else k, math.ceil(now.depth * math.sqrt(more)))
        return min(now.leaves, math.ceil(now.breadth * math.sqrt(more))), depth

    def settings(self) -> Mapping[str, int]:
        """Return the settings by name."""
        return msgspec.structs.asdict(self._settings)

    def save(self, folder: Path) -> None:
        """Write FAISS's file."""
        _library().write_index(self._index, str(folder / FILE))


def build_faiss(vectors: Vectors, kind: Kind, settings: FaissSettings, threads: int = 1) -> FaissEngine:
    """Build one over vectors, [rows, dim], at least 1,024 of them (E6811 where FAISS is not installed)."""
    library = _library()
    library.omp_set_num_threads(threads)
    dim = vectors.shape[1]
    recipe = f"IVF{settings.leaves},PQ{dim // 2 if dim % 2 == 0 else dim}x4fs,RFlat"
    if kind == "faiss-hnsw":
        recipe = f"HNSW{settings.leaves},Flat"
    index = library.index_factory(dim, recipe, library.METRIC_INNER_PRODUCT)
    rows = np.ascontiguousarray(vectors)
    if kind == "faiss-hnsw":
        index.hnsw.efConstruction = 200
    else:
        limit = max(65_536, 64 * settings.leaves)
        chosen = np.random.default_rng(0).permutation(len(rows))[:limit]
        index.train(rows[np.sort(chosen)])
    index.add(rows)
    return FaissEngine(index, kind, settings)


def load_faiss(folder: Path, rows: int, dim: int, kind: Kind, settings: Mapping[str, int]) -> FaissEngine:
    """Read one from a file that has been checked, mapped where FAISS can (E6806 where it is none of FAISS's)."""
    library = _library()
    try:
        checked = msgspec.convert(settings, FaissSettings)
        index = library.read_index(str(folder / FILE), library.IO_FLAG_MMAP_IFC)
    except (msgspec.ValidationError, RuntimeError) as fault:
        raise RunError.of("E6806", f"FAISS cannot read `{folder / FILE}`: {fault}") from fault
    if (index.ntotal, index.d) != (rows, dim):
        raise RunError.of("E6806", f"`{folder / FILE}` holds {index.ntotal} of {index.d}", expected=f"{rows} of {dim}")
    return FaissEngine(index, kind, checked)


def _library() -> Any:  # noqa: ANN401 - a module without types
    try:
        import faiss  # noqa: PLC0415 - only these kinds of index need it
    except ImportError as fault:
        raise RunError.of("E6811", "FAISS is not installed", help='pip install "mlsd[faiss]"') from fault
    return faiss
