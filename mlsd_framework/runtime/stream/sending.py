"""Sending events at a rate, in their order: what `mlsd data simulate --live` does."""

import itertools
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mlsd_framework.runtime.stream.producing import Add, Event

_TICK_S = 0.05
_MOST = 500  # events of one round: a body that the service takes
_TIMEOUT_S = 10.0


@dataclass(slots=True)
class Sending:
    """How many events were sent, in how many seconds."""

    sent: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Return the events a second."""
        return self.sent / self.seconds if self.seconds else 0.0


def send(
    events: Iterable[Event],
    add: Add,
    *,
    rate: float,
    seconds: float | None,
    stop: threading.Event,
    shown: Callable[[Sending], None] = lambda _: None,
) -> Sending:
    """Send events at `rate` a second, for so many seconds or until `stop` is set; return what was done.

    What a slow receiver holds up is made up for. Raises RunError where it does not take them.
    """
    waiting, done = iter(events), Sending()
    begun = time.monotonic()
    limit = None if seconds is None else round(rate * seconds)
    while not stop.is_set():
        done.seconds = time.monotonic() - begun
        due = int(done.seconds * rate) + 1
        wanted = min(due if limit is None else min(due, limit), done.sent + _MOST) - done.sent
        some = list(itertools.islice(waiting, max(wanted, 0)))
        if some:
            add(some, _TIMEOUT_S)
            done.sent += len(some)
            shown(done)
        elif wanted > 0 or done.sent == limit:
            break
        if done.sent >= due:
            stop.wait(_TICK_S)
    done.seconds = time.monotonic() - begun
    return done
