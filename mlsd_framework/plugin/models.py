"""The extension point for kinds of model."""

from typing import Protocol

from mlsd_framework.codegen.fragments import Fragment, ScriptNames, ServiceNames
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.system import System
from mlsd_framework.lower.kinds import ModelLowering


class ModelKind(ModelLowering, Protocol):
    """A kind of model: its YAML, what it takes and gives, its training script, how it is asked."""

    def training(self, model: Model, system: System) -> str:
        """Return the text of `training/<model>.py`, flat and runnable."""

    def loading(self, model: Model, names: ServiceNames) -> Fragment:
        """Return the service's module-level lines that load the model from the bundle."""

    def scoring(self, model: Model, names: ServiceNames) -> Fragment:
        """Return the lines that ask the model about one request."""


__all__ = ["ModelKind", "ScriptNames"]
