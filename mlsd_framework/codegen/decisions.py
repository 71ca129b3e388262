"""What each decision is called in a bundle's thresholds: the same where they are written and where they are read."""

from mlsd_framework.codegen.names import Names, path_name
from mlsd_framework.ir.serving import Endpoint, Stage
from mlsd_framework.ir.system import System


def decision_name(endpoint: Endpoint, stage: Stage, system: System) -> str:
    """Return the stage's name, after its endpoint's where the system has several."""
    if len(system.serving) == 1:
        return stage.name
    names = Names()
    for one in system.serving:
        for other in one.pipeline:
            names.of(f"{one.path} {other.name}", f"{path_name(one.path)}_{other.name}")
    return names.of(f"{endpoint.path} {stage.name}", stage.name)
