"""Isolation forests for the compiler."""

from typing import Any

from mlsd_framework.codegen.service_code import ServiceCode
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.models import Model, Output
from mlsd_framework.ir.serving import Stage
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import FLOAT64, DataType
from mlsd_framework.kinds.models.isolation_forest.service import write_score
from mlsd_framework.kinds.models.isolation_forest.spec import IsolationForestSpec


class IsolationForest:
    """How unlike the training examples a row is."""

    name = "isolation_forest"
    spec = IsolationForestSpec
    supervised = False
    explains = False

    def accepts(self, type_: DataType) -> bool:
        """Take numbers and booleans; null is filled with the training median."""
        return type_.numeric or type_.name in ("bool", "duration")

    def outputs(self, name: str, label: Label | None) -> tuple[Output, ...]:  # noqa: ARG002 - the kind's protocol
        """Return the novelty from 0 to 1, called as the model is."""
        return (Output(name, FLOAT64, "score"),)

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the size of the forest."""
        return (("trees", spec.trees), ("samples", spec.samples))

    def training(self, model: Model, system: System) -> str:
        """Return the text of `training/<model>.py`."""
        from mlsd_framework.kinds.models.isolation_forest.training import script  # noqa: PLC0415 - only `build` writes it

        return script(model, system)

    def score(self, model: Model, stage: Stage, code: ServiceCode) -> None:
        """Write what loads the forest and asks it."""
        write_score(model, stage, code)
