"""An index built again over what has become of it: with its settings, and asked wider where these find too little."""

import math

import msgspec

from mlsd_framework.runtime.index.door import Engine
from mlsd_framework.runtime.index.engines import asked_with
from mlsd_framework.runtime.index.live import Gate, measured_recall
from mlsd_framework.runtime.index.vector_index import VectorIndex, index_of

_WIDER = 1.5
_WIDEST_GRAPH = 1_024


def rebuilt(index: VectorIndex, gate: Gate) -> VectorIndex:
    """Return a new index over what is in another; where its settings miss the gate, one that is asked wider.

    Settings were found on other rows. Asking wider is quick, building is not: it is built once, and where even the
    widest misses the gate, that one is returned.
    """
    ids, vectors = index.state.living()
    made = index_of(ids, vectors, index.about, index.threads)
    while measured_recall(made, gate) < gate.recall:
        wider = _wider(made.engine)
        if wider is None:
            break
        about = msgspec.structs.replace(index.about, settings=dict(wider.settings()))
        made = index_of(ids, vectors, about, index.threads, wider)
    return made


def _wider(engine: Engine) -> Engine | None:
    """Return the same structure, asked wider and deeper; none where it looks at everything already."""
    settings = engine.settings()
    if engine.kind == "exact":
        return None
    most = _WIDEST_GRAPH if engine.kind == "faiss-hnsw" else settings["leaves"]
    if settings["breadth"] >= most:
        return None
    breadth, depth = (math.ceil(settings[name] * _WIDER) for name in ("breadth", "depth"))
    return asked_with(engine, min(most, breadth), depth, settings["k"])
