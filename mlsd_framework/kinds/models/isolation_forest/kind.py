"""Isolation forests for the compiler."""

from typing import Any

from mlsd_framework.ir.label import Label
from mlsd_framework.ir.models import Output, SettingValue
from mlsd_framework.ir.types import FLOAT64, DataType
from mlsd_framework.kinds.models.isolation_forest.spec import IsolationForestSpec


class IsolationForest:
    """How unlike the training examples a row is."""

    name = "isolation_forest"
    spec = IsolationForestSpec
    supervised = False

    def accepts(self, type_: DataType) -> bool:
        """Take numbers and booleans; null is filled with the training median."""
        return type_.numeric or type_.name in ("bool", "duration")

    def outputs(self, name: str, label: Label | None) -> tuple[Output, ...]:  # noqa: ARG002 - the kind's protocol
        """Return the novelty from 0 to 1, called as the model is."""
        return (Output(name, FLOAT64, "score"),)

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the size of the forest."""
        return (("trees", spec.trees), ("samples", spec.samples))
