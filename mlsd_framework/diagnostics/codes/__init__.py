"""Every code a diagnostic can have, one file a range; `mlsd explain CODE` prints its page."""

from mlsd_framework.diagnostics.codes import (
    data,
    features,
    indexes,
    operations,
    plan,
    planning,
    plugin,
    proof,
    ranking,
    references,
    reranking,
    retrieval,
    scoring,
    serving,
    shape,
    stream,
    target,
    text,
    training,
)
from mlsd_framework.diagnostics.codes.code import Code

CODES: dict[str, Code] = {
    entry.code: entry
    for part in (
        shape,
        references,
        target,
        plugin,
        plan,
        planning,
        data,
        features,
        training,
        ranking,
        reranking,
        scoring,
        retrieval,
        serving,
        operations,
        stream,
        proof,
        indexes,
        text,
    )
    for entry in part.CODES
}
