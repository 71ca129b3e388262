"""The extension point for stages of a pipeline."""

from collections.abc import Mapping
from typing import Protocol

from mlsd_framework.codegen.service_code import ServiceCode
from mlsd_framework.ir.serving import Stage
from mlsd_framework.ir.system import System
from mlsd_framework.lower.kinds import StageLowering
from mlsd_framework.plugin.models import ModelKind


class StageKind(StageLowering, Protocol):
    """A stage: its YAML, what it reads and writes, and the lines that run it."""

    def code(self, stage: Stage, system: System, models: Mapping[str, ModelKind], code: ServiceCode) -> None:
        """Write the stage's declarations, what it loads, and its lines in the pipeline."""
