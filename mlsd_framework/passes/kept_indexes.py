"""Freshness of indexes is owed where there is an index to keep fresh."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.system import System
from mlsd_framework.passes.lengths import write_length


def kept_indexes(system: System) -> Iterator[Diagnostic]:
    """Refuse what nothing keeps: new items are found by an index over a model that embeds them.

    `freshness: {indexes: 15m}` in a system without `indexes` → E2113.
    """
    owed = system.requirements
    if owed.index_freshness is None or system.indexes:
        return
    yield Diagnostic(
        code="E2113",
        what=f"`requirements.freshness.indexes` is {write_length(owed.index_freshness)}, and there is no index",
        span=owed.span,
        expected="an index over a model whose items are vectors: `indexes: {items: {model: towers}}`",
        help="declare one, or owe nothing of indexes",
    )
