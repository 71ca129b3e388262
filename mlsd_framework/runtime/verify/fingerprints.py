"""Of what a proof is one: the runtime's own sources, and the data. Light, as every plan looks at it."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from mlsd_framework import __version__

_RUNTIME = Path(__file__).resolve().parents[1]
_KERNEL = ("data", "features", "state", "stream", "spark", "verify")


@cache
def runtime_fingerprint() -> str:
    """Return a fingerprint of the runtime's own sources: another kernel needs another proof."""
    digest = hashlib.sha256(__version__.encode())
    for part in _KERNEL:
        for file in sorted((_RUNTIME / part).rglob("*.py")):
            digest.update(f"{file.relative_to(_RUNTIME)}\n".encode() + file.read_bytes())
    return f"sha256:{digest.hexdigest()[:16]}"


def data_fingerprint(files: Iterable[Path]) -> str:
    """Return a fingerprint of data files by their size and the moment of their last change."""
    digest = hashlib.sha256()
    for file in sorted(files):
        stat = file.stat()
        digest.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return f"sha256:{digest.hexdigest()[:16]}"
