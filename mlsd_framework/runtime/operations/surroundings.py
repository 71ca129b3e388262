"""What the processes of a supervisor share, whichever version they belong to."""

from collections.abc import Callable
from dataclasses import dataclass

from mlsd_framework.runtime.operations.children import Children
from mlsd_framework.runtime.operations.journal import Journal, RotatingLog


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Who starts and reaps them, where they print, and whom to tell of a change."""

    children: Children
    journal: Journal
    service_log: RotatingLog
    updater_log: RotatingLog
    indexer_log: RotatingLog
    changed: Callable[[], None]
