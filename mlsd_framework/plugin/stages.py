"""The extension point for stages of a pipeline."""

from typing import Protocol

from mlsd_framework.codegen.fragments import Fragment, ServiceNames
from mlsd_framework.ir.serving import Stage
from mlsd_framework.lower.kinds import StageLowering


class StageKind(StageLowering, Protocol):
    """A stage: its YAML, what it reads and writes, and the lines that run it."""

    def code(self, stage: Stage, names: ServiceNames) -> Fragment:
        """Return the lines of one stage in the endpoint's function, and what they need at module level."""
