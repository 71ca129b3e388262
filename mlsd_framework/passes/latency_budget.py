"""The budgets of a pipeline's stages fit into the latency that the system owes."""

from collections.abc import Iterator
from datetime import timedelta

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.system import System
from mlsd_framework.passes.lengths import write_length


def latency_budget(system: System) -> Iterator[Diagnostic]:
    """Add the budgets along each pipeline and hold them against the highest quantile of `requirements.latency`.

    Stages of 40ms and 20ms with `p99: 50ms` → E2107.
    """
    stated = {"p99": system.requirements.p99, "p95": system.requirements.p95, "p50": system.requirements.p50}
    quantile, owed = next(((name, length) for name, length in stated.items() if length is not None), ("", None))
    for endpoint in system.serving:
        budgets = [(stage, stage.budget) for stage in endpoint.pipeline if stage.budget is not None]
        total = sum((budget for _, budget in budgets), timedelta(0))
        if owed is None or total <= owed:
            continue
        parts = " + ".join(f"{stage.name} {write_length(budget)}" for stage, budget in budgets)
        may, owes = write_length(total), write_length(owed)
        yield Diagnostic(
            code="E2107",
            what=f"the stages of `{endpoint.path}` may take {may}, and `requirements.latency.{quantile}` is {owes}",
            span=endpoint.span,
            notes=(parts,),
            help="give a stage less time, or owe more",
        )
