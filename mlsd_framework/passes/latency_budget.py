"""The budgets of a pipeline's stages fit into the latency that the system owes."""

from collections.abc import Iterator
from datetime import timedelta

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.system import System


def latency_budget(system: System) -> Iterator[Diagnostic]:
    """Add the budgets along each pipeline and hold them against `requirements.latency.p99`.

    Stages of 40ms and 20ms with `p99: 50ms` → E2107.
    """
    owed = system.requirements.p99
    for endpoint in system.serving:
        budgets = [(stage.name, stage.budget) for stage in endpoint.pipeline if stage.budget is not None]
        total = sum((budget for _, budget in budgets), timedelta(0))
        if owed is not None and total > owed:
            parts = " + ".join(f"{name} {_ms(budget)}" for name, budget in budgets)
            yield Diagnostic(
                code="E2107",
                what=f"the stages of `{endpoint.path}` may take {_ms(total)}, and `requirements.latency.p99` is {_ms(owed)}",
                span=endpoint.span,
                notes=(parts,),
                help="give a stage less time, or owe more",
            )


def _ms(length: timedelta) -> str:
    return f"{length / timedelta(milliseconds=1):g}ms"
