"""Checks of the ir, one pass a file; the order of `PASSES` is the order in which a spec is judged."""

from collections.abc import Callable, Iterable

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.system import System
from mlsd_framework.passes.endpoints import endpoints
from mlsd_framework.passes.expressible import expressible
from mlsd_framework.passes.flow import flow
from mlsd_framework.passes.gate_places import gate_places
from mlsd_framework.passes.held_out_events import held_out_events
from mlsd_framework.passes.kept_indexes import kept_indexes
from mlsd_framework.passes.known_in_time import known_in_time
from mlsd_framework.passes.latency_budget import latency_budget
from mlsd_framework.passes.live_values import live_values
from mlsd_framework.passes.mature_labels import mature_labels
from mlsd_framework.passes.metric_needs import metric_needs
from mlsd_framework.passes.past_requests import past_requests
from mlsd_framework.passes.paths_inside import paths_inside
from mlsd_framework.passes.reserved_names import reserved_names
from mlsd_framework.passes.split_columns import split_columns
from mlsd_framework.passes.stage_order import stage_order
from mlsd_framework.passes.supervised import supervised

Pass = Callable[[System], Iterable[Diagnostic]]

PASSES: tuple[Pass, ...] = (
    reserved_names,
    paths_inside,
    known_in_time,
    live_values,
    supervised,
    split_columns,
    mature_labels,
    held_out_events,
    metric_needs,
    gate_places,
    flow,
    past_requests,
    stage_order,
    endpoints,
    latency_budget,
    kept_indexes,
    expressible,
)


# What these find in a system that lacks its faulty entries would be echoes of other faults.
_NEED_THE_WHOLE: tuple[Pass, ...] = (
    supervised,
    split_columns,
    metric_needs,
    gate_places,
    flow,
    past_requests,
    stage_order,
    endpoints,
    kept_indexes,
)


def check(system: System, *, whole: bool = True) -> list[Diagnostic]:
    """Run every pass and return what they find; `whole` says whether lowering found no fault."""
    return [found for one in PASSES if whole or one not in _NEED_THE_WHOLE for found in one(system)]
