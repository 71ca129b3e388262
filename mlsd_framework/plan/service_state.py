"""Whether a service runs, read from the supervisor's own record without asking it: a plan must be quick."""

import json
from dataclasses import dataclass

from mlsd_framework.runtime.operations.places import is_locked, life_lock, state_file
from mlsd_framework.runtime.workspace import Workspace

_SERVING = frozenset({"ready", "degraded", "replacing"})


@dataclass(frozen=True, slots=True)
class Running:
    """The service of a system: its state in the supervisor's words, and the version that serves."""

    state: str
    version: str

    @property
    def serves(self) -> bool:
        """Whether it answers requests."""
        return self.state in _SERVING


def running(place: Workspace) -> Running | None:
    """Return the service that runs in a workspace; none where none does."""
    if not is_locked(life_lock(place)):
        return None
    try:
        found = json.loads(state_file(place).read_bytes())
        return Running(str(found["state"]), str(found.get("version", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
