"""Indexes of vectors (68xx): what goes in, what is asked, what lies on disk, and their exchange."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E6801",
        "unfit-vectors",
        "Vectors for an index hold NaN or infinity, or have another dimension than the index.",
        "Look at the model's export and at the items whose vectors are named; retrain where the loss went to NaN.",
    ),
    Code(
        "E6802",
        "unfit-queries",
        "Queries hold NaN or infinity, have another dimension than the index, or ask for no neighbours.",
        "Embed queries with the model that embedded the items, and send float32 of [queries, dim].",
    ),
    Code(
        "E6803",
        "unfit-ids",
        "Ids of an index or of its filter are not places in a catalogue, or stand there twice or without a vector.",
        "Number the items from 0; a filter is a mask by id, or a list of ids.",
    ),
    Code(
        "E6804",
        "missing-index",
        "There is no index in the folder, or one of its files is gone.",
        "Take the whole folder from where it was written, or build the index again.",
    ),
    Code(
        "E6805",
        "changed-index-file",
        "A file of the index is not the one that was written: its SHA-256 differs.",
        "Take the folder from where it was written, or build the index again; an index's files are never edited.",
    ),
    Code(
        "E6806",
        "unreadable-index",
        "A file of the index is not of the expected form, or does not fit the others.",
        "Build the index again with the version that serves.",
    ),
    Code(
        "E6807",
        "other-model",
        "Vectors of one model meet an index of another: their products mean nothing.",
        "Deploy model and index as one version; while an index of a new model is built, say how items are embedded.",
    ),
    Code(
        "E6808",
        "index-exists",
        "The folder to write an index to holds something already; versions are never overwritten.",
        "Give the new index a folder of its own.",
    ),
    Code(
        "E6809",
        "unreached-recall",
        "An index does not find the declared share of the items that are truly nearest.",
        "Tune it on queries as they come, declare a lower recall, or let exact search be among the kinds.",
    ),
    Code(
        "E6810",
        "no-index-before",
        "A rollback is asked for, and no index was exchanged before.",
        "Load the version that is wanted from its folder.",
    ),
    Code(
        "E6811",
        "no-index-library",
        "The library behind the kind of index is not installed.",
        "Install the extra that the message names, or use the kind `exact`.",
    ),
    Code(
        "E6812",
        "unreadable-item-changes",
        "A file of what has changed of a version's items is damaged, or a step is missing.",
        "Stop the system, remove the folder of changes, and deploy again: it is made from the table.",
    ),
    Code(
        "E6813",
        "most-items-gone",
        "More than half of the items that are served are no longer in their table, which looks like a damaged table.",
        "Mend the table; where that many are really gone, deploy again: a new version begins from the table.",
    ),
)
