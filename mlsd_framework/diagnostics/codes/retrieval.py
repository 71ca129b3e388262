"""Retrieval (647x): sources of candidates read from their files."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E6471",
        "source-file-unreadable",
        "The file of a source of candidates is cut short, damaged, of another kind, or lacks an array or a setting.",
        "Fit the source again, or copy the bundle again: the file is written with it and never edited.",
    ),
    Code(
        "E6472",
        "source-file-inconsistent",
        "The arrays of a source of candidates contradict each other, so that answering would read outside them.",
        "Fit the source again, or copy the bundle again.",
    ),
)
