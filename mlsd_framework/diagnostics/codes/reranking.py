"""Re-ranking (639x): stages between the scored candidates and what is shown."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E6391",
        "item-without-vector",
        "A candidate's place in the catalogue lies beyond the item vectors that diversity is measured by.",
        "Make the vectors from the catalogue that the candidates come from, one row an item, zeros where none is.",
    ),
    Code(
        "E6392",
        "unusable-counts-of-item",
        "The counts of an item's showings and successes, from which it is explored, are below 0, not finite, or have "
        "more successes than showings.",
        "Count showings and successes over the same window, each success once; a null counts as 0.",
    ),
)
