"""One command at a time changes a system; the lock ends with the processes that hold it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlsd_framework.diagnostics.errors import PlanError, RunError
from mlsd_framework.plan.state import not_written
from mlsd_framework.runtime.operations.places import try_lock
from mlsd_framework.runtime.workspace import Workspace

_POLL_S = 0.1


@contextmanager
def held(place: Workspace, patience_s: float, waiting: Callable[[], None]) -> Iterator[int]:
    """Hold the lock of a system and yield its descriptor, which a child may inherit to hold it on.

    `waiting` is called once where another command holds it; E5017 after `patience_s`.
    """
    path = place.root / "plan.lock"
    try:
        place.root.mkdir(parents=True, exist_ok=True)
        handle = try_lock(path)
    except OSError as fault:
        raise not_written(path, fault) from fault
    if handle is None:
        waiting()
    limit = time.monotonic() + patience_s
    while handle is None:
        if time.monotonic() >= limit:
            error = RunError.of(
                "E5017",
                f"another command has worked on `{place.root.name}` for {patience_s:.0f} s",
                help=f"wait for it or end it: it holds `{path}`",
            )
            raise PlanError(error.diagnostics)
        time.sleep(_POLL_S)
        handle = try_lock(path)
    try:
        yield handle
    finally:
        os.close(handle)
