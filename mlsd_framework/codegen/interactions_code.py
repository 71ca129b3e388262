"""Logs of who met which item, as the training scripts read them."""

from mlsd_framework.codegen.python import Call, Item, Raw, given
from mlsd_framework.ir.retrieval import Interactions
from mlsd_framework.ir.system import System


def log_of(log: Interactions, events: Item, system: System) -> Call:
    """Return the call that makes a log of events; the items are those of `catalogue`."""
    written = given(written=system.source(log.source).ingest_time)
    return Call("interactions", (events, Raw("catalogue")), (*columns_of(log, system), *written))


def columns_of(log: Interactions, system: System) -> tuple[tuple[str, Item], ...]:
    """Return the arguments that name the columns of a log's events."""
    return (("user", log.user), ("item", log.item), ("time", system.source(log.source).event_time))
