"""The extension point for kinds of model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mlsd_framework.codegen.row_code import RowCode
from mlsd_framework.codegen.service_code import ServiceCode
from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.serving import Stage
from mlsd_framework.ir.system import System
from mlsd_framework.lower.kinds import ModelLowering
from mlsd_framework.plugin.retrievers import RetrieverKind


class ModelKind(ModelLowering, Protocol):
    """A kind of model: its YAML, what it takes and gives, its training script, how it is asked."""

    def training(self, model: Model, system: System) -> str:
        """Return the text of `training/<model>.py`, flat and runnable."""

    def score(self, model: Model, stage: Stage, code: ServiceCode) -> None:
        """Write what loads the model from the bundle, and the stage that asks it about the request."""


class RankingKind(ModelKind, Protocol):
    """A kind of model that scores candidates, each by itself or against the others of its request."""

    def rank(self, model: Model, code: RowCode) -> list[str]:
        """Return the lines that give `candidates` a column called as the model is, and order them by it."""


@dataclass(frozen=True, slots=True)
class ModelKinds:
    """The kinds of models at hand, by name."""

    models: Mapping[str, ModelKind]
    retrievers: Mapping[str, RetrieverKind]


class ExplainableKind(ModelKind, Protocol):
    """A kind of model that can say how much each feature moved a score."""

    def inputs(self, model: Model) -> tuple[FeatureRef, ...]:
        """Return the model's features in the order of the row that `score` leaves in `<model>_row`."""

    def explain(self, model: Model, code: ServiceCode) -> str:
        """Return the source of one contribution a feature, in the order of `inputs`."""
