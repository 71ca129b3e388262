"""What lowering asks of a kind; the plugin layer adds what code generation asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Protocol

from mlsd_framework.ir.features import Default, Reading
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.metrics import Parameter
from mlsd_framework.ir.models import Output
from mlsd_framework.ir.serving import Value
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.ir.sources import Origin
from mlsd_framework.ir.types import DataType
from mlsd_framework.lower.scope import GroupScope, StageScope
from mlsd_framework.spec.derived import DerivedGroupSpec
from mlsd_framework.spec.metrics import MetricSpec
from mlsd_framework.spec.models import ModelSpec
from mlsd_framework.spec.retrievers import RetrieverSpec
from mlsd_framework.spec.serving import StageSpec
from mlsd_framework.spec.sources import SourceSpec


class SourceLowering(Protocol):
    """A kind of source."""

    @property
    def name(self) -> str:
        """Its `kind:`."""

    @property
    def spec(self) -> type[SourceSpec]:
        """The model of its YAML."""

    def origin(self, spec: Any) -> Origin:
        """Return where the data comes from."""


@dataclass(frozen=True, slots=True)
class AggregateParameter:
    """What stands beside the value in an aggregate, such as the 50 of `last_n(item, 50)`."""

    name: Literal["n", "half_life", "exact"]
    required: bool = True


class AggregateLowering(Protocol):
    """An aggregate over a window of events."""

    @property
    def name(self) -> str:
        """Its name in `aggregate:`."""

    def result(self, value: DataType | None) -> DataType | None:
        """Return the type of its result, or none where it does not take such a value."""

    @property
    def takes(self) -> str:
        """What it takes, in words, for errors."""

    @property
    def parameter(self) -> AggregateParameter | None:
        """What it takes beside the value."""


@dataclass(frozen=True, slots=True)
class DerivedFeature:
    """A feature of a group that a function computes.

    One with a `default` is never null: a key that a snapshot lacks has that value. `describe` is what it is called in
    words where the spec does not say it.
    """

    name: str
    type: DataType
    default: Default = None
    describe: str | None = None


@dataclass(frozen=True, slots=True)
class GroupDraft:
    """What a group of a kind reads and gives, and the settings that its function is called with.

    The function gets the columns of `readings` and no others, of events of the last `window`, or of all before.
    """

    features: tuple[DerivedFeature, ...]
    readings: tuple[Reading, ...]
    settings: tuple[tuple[str, SettingValue], ...] = ()
    window: timedelta | None = None


class GroupLowering(Protocol):
    """A kind of feature group."""

    @property
    def name(self) -> str:
        """Its `kind:`."""

    @property
    def spec(self) -> type[DerivedGroupSpec]:
        """The model of its YAML."""

    @property
    def function(self) -> str:
        """The `module:name` of what computes a snapshot; only generated code imports it."""

    def lower(self, spec: Any, scope: GroupScope) -> GroupDraft | None:
        """Resolve its names; report faults to the scope and return none where it cannot go on."""


class ModelLowering(Protocol):
    """A kind of model."""

    @property
    def name(self) -> str:
        """Its `kind:`."""

    @property
    def spec(self) -> type[ModelSpec]:
        """The model of its YAML."""

    @property
    def supervised(self) -> bool:
        """Whether it learns a label."""

    @property
    def explains(self) -> bool:
        """Whether it can say how much each feature moved a score."""

    def accepts(self, type_: DataType) -> bool:
        """Say whether a feature of this type can be an input."""

    def outputs(self, name: str, label: Label | None) -> tuple[Output, ...]:
        """Return what the model called `name` says of a row."""

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the kind's own settings."""


class RetrieverLowering(Protocol):
    """A kind of model that finds candidates."""

    @property
    def name(self) -> str:
        """Its `kind:`."""

    @property
    def spec(self) -> type[RetrieverSpec]:
        """The model of its YAML."""

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the kind's own settings."""


@dataclass(frozen=True, slots=True)
class StageDraft:
    """What a stage reads and writes, and its own settings."""

    reads: tuple[Value, ...]
    writes: tuple[Value, ...]
    settings: object


class StageLowering(Protocol):
    """A kind of stage."""

    @property
    def name(self) -> str:
        """Its key in a pipeline."""

    @property
    def spec(self) -> type[StageSpec]:
        """The model of its YAML."""

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Resolve its names; report faults to the scope and return none where it cannot go on."""


class MetricLowering(Protocol):
    """A kind of metric."""

    @property
    def name(self) -> str:
        """Its key in `offline:`."""

    @property
    def spec(self) -> type[MetricSpec]:
        """The model of its YAML."""

    @property
    def needs(self) -> frozenset[str]:
        """What a model or a decision must give: `probability`, `score`, `value`, `label`, `decision`, `cost`."""

    @property
    def higher_is_better(self) -> bool:
        """Whether more is better."""

    def parameters(self, spec: Any) -> tuple[tuple[str, Parameter], ...]:
        """Return its parameters."""


@dataclass(frozen=True)
class Kinds:
    """Every kind at hand, by name."""

    sources: Mapping[str, SourceLowering]
    aggregates: Mapping[str, AggregateLowering]
    models: Mapping[str, ModelLowering]
    stages: Mapping[str, StageLowering]
    metrics: Mapping[str, MetricLowering]
    features: Mapping[str, GroupLowering] = field(default_factory=dict)
    retrievers: Mapping[str, RetrieverLowering] = field(default_factory=dict)
