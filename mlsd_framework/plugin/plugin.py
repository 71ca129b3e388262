"""What a plugin is: a name, a version, and the kinds that it brings."""

from dataclasses import dataclass

from mlsd_framework.lower.kinds import AggregateLowering, GroupLowering, MetricLowering, SourceLowering
from mlsd_framework.plugin.models import ModelKind
from mlsd_framework.plugin.retrievers import RetrieverKind
from mlsd_framework.plugin.stages import StageKind


@dataclass(frozen=True)
class Plugin:
    """A package's kinds; the entry-point group `mlsd.plugins` names an instance."""

    name: str
    version: str
    sources: tuple[SourceLowering, ...] = ()
    aggregates: tuple[AggregateLowering, ...] = ()
    features: tuple[GroupLowering, ...] = ()
    models: tuple[ModelKind, ...] = ()
    retrievers: tuple[RetrieverKind, ...] = ()
    stages: tuple[StageKind, ...] = ()
    metrics: tuple[MetricLowering, ...] = ()
