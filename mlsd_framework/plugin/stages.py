"""The extension point for stages of a pipeline."""

from typing import Protocol

from mlsd_framework.codegen.row_code import RowCode
from mlsd_framework.codegen.service_code import ServiceCode
from mlsd_framework.ir.serving import Stage
from mlsd_framework.ir.system import System
from mlsd_framework.lower.kinds import StageLowering
from mlsd_framework.plugin.models import ModelKinds


class StageKind(StageLowering, Protocol):
    """A stage: its YAML, what it reads and writes, and the lines that run it."""

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:
        """Write the stage's declarations, what it loads, and its lines in the pipeline."""


class RowStageKind(StageKind, Protocol):
    """A stage that turns candidates into candidates, by the same lines for one request and for many."""

    def rows(self, stage: Stage, system: System, kinds: ModelKinds, code: RowCode) -> list[str]:
        """Return the lines; they read and assign `candidates`, and may read `history`."""


class ExploringStageKind(RowStageKind, Protocol):
    """A stage that draws what it shows, with probabilities that it can tell of candidates that it has not drawn."""

    def chances(self, stage: Stage, system: System, kinds: ModelKinds, code: RowCode) -> list[str]:
        """Return the lines; they read `candidates` as `rows` finds them, and assign `chances`."""
