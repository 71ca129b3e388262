"""How much memory work on whole logs may take: what is larger goes over the disk."""

import os
from pathlib import Path

import polars as pl

from mlsd_framework.diagnostics.errors import RunError

MEMORY = "MLSD_MEMORY"
_SHARE = 4  # a quarter of memory is ours where nobody says otherwise
_TEXT = 48  # bytes that a text is thought to take


def allowed() -> int:
    """Return how many bytes the work may take: `MLSD_MEMORY`, or a quarter of the machine's memory.

    Raises RunError (E6208) where `MLSD_MEMORY` is no number of bytes.
    """
    said = os.environ.get(MEMORY)
    if said is None:
        return _available() // _SHARE
    if not said.isdecimal() or not int(said):
        raise RunError.of("E6208", f"`{MEMORY}` is `{said}`", expected="a number of bytes, such as 4000000000")
    return int(said)


def row_bytes(schema: pl.Schema) -> int:
    """Estimate what a row takes in memory."""
    return sum(8 if dtype.is_numeric() or dtype.is_temporal() else _TEXT for dtype in schema.dtypes())


def _available() -> int:
    """Return the bytes of memory that this process may use: the machine's, or its group's where that is less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    group = Path("/sys/fs/cgroup/memory.max")
    if group.exists() and (limit := group.read_text().strip()).isdigit():
        limits.append(int(limit))
    return min(limits)
