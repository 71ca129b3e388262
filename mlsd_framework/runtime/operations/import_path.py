"""The variable with which a child process finds this very package, however its parent found it."""

import os
from collections.abc import Mapping
from pathlib import Path

import mlsd_framework

PACKAGE_ROOT = Path(mlsd_framework.__file__).resolve().parent.parent


def import_path(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the `PYTHONPATH` with which a child finds this very package, however this process found it."""
    former = environment.get("PYTHONPATH", "")
    paths = [str(PACKAGE_ROOT), *(path for path in former.split(os.pathsep) if path)]
    return {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
