"""Lower `indexes`."""

from collections.abc import Mapping

from mlsd_framework.ir.retrieval import Index, Retriever
from mlsd_framework.lower.context import Context
from mlsd_framework.spec.indexes import IndexSpec


def lower_indexes(
    specs: Mapping[str, IndexSpec], retrievers: Mapping[str, Retriever], declared: frozenset[str], context: Context
) -> tuple[Index, ...]:
    """Return the indexes that have no faults, in the order of the file; a model has one at most."""
    found: dict[str, Index] = {}
    for name, spec in specs.items():
        retriever = retrievers.get(spec.model)
        at = ("indexes", name, "model")
        if retriever is None or not retriever.embeds:
            vectors = [one.name for one in retrievers.values() if one.embeds]
            if spec.model not in declared:
                what = f"`indexes.{name}` refers to model `{spec.model}`, which is not declared"
                context.unknown("E2002", what, at, spec.model, vectors)
            elif retriever is not None:
                what = f"`indexes.{name}` is over `models.{spec.model}`, whose items are no vectors"
                context.report("E2061", what, at, expected=f"one of: {', '.join(vectors) or 'none yet'}")
            continue
        if any(one.retriever.name == spec.model for one in found.values()):
            what = f"`models.{spec.model}` has two indexes"
            context.report("E2010", what, at, help="leave one of the two out")
            continue
        span = context.span(("indexes", name), key=True)
        found[name] = Index(name, retriever, spec.recall, spec.k, tuple(spec.engines), span)
    return tuple(found.values())
