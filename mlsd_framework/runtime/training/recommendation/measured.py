"""What was found out about a pipeline, as data: reports, cards and JSON are written from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mlsd_framework.runtime.ranking_metrics.estimates import Estimate
from mlsd_framework.runtime.ranking_metrics.funnel import Funnel
from mlsd_framework.runtime.ranking_metrics.off_policy import PolicyValue
from mlsd_framework.runtime.training.gates import Outcome
from mlsd_framework.runtime.training.recommendation.metrics import stage_of
from mlsd_framework.runtime.training.recommendation.subject import Subject

Role = Literal["source", "stage", "baseline"]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A metric over that of the baseline which is best at it."""

    baseline: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class MeasuredList:
    """What one source, stage or baseline gives: mean and largest number of candidates, metrics, ratios.

    `values` are by metric; figures of all lists together, such as coverage, have no interval. `ratios` are of metrics
    of which more is better, and none where there is no baseline. `curve` is (k, mean recall at k).
    """

    role: Role
    name: str
    candidates: float
    longest: int
    values: Mapping[str, Estimate]
    ratios: Mapping[str, Ratio]
    curve: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class MeasuredSlice:
    """A stage on some of the requests, or with some of the relevant items counted as relevant only.

    `name` is what gates call it. `stage` is the last one, for metrics that are deeper than its lists the last whose
    lists are as long, and for what is told of lists without some items the last before they are cut. `requests` are
    those that are in it, or have such a relevant item; `relevant` counts relevant items. `ratios` are to the baseline
    that is best on the slice.
    """

    name: str
    stage: str
    of: Literal["requests", "items"]
    requests: int
    relevant: int
    values: Mapping[str, Estimate]
    ratios: Mapping[str, Ratio]


@dataclass(frozen=True, slots=True)
class GroupExposure:
    """One group of items: its share of what the last stage shows, of what is relevant, and of the catalogue."""

    group: str
    shown: float
    relevant: float
    catalogue: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was found out about one pipeline.

    `metrics` are the names asked for, `beyond` those of what lies beyond relevance; both are keys of the lists' values.
    `lists` are sources, stages, then baselines, each in their order. `exposure` is by column of groups.
    """

    subject: Subject
    metrics: tuple[str, ...]
    beyond: tuple[str, ...]
    k: int
    lists: tuple[MeasuredList, ...]
    funnel: Funnel
    exposure: Mapping[str, tuple[GroupExposure, ...]]
    slices: tuple[MeasuredSlice, ...] = ()
    gates: tuple[Outcome, ...] = ()
    policies: tuple[PolicyValue, ...] = ()

    def stage_of(self, metric: str) -> MeasuredList:
        """Return the stage where a metric says something: `metrics.stage_of`."""
        stages = {one.name: one for one in self.lists if one.role == "stage"}
        return stages[stage_of(metric, {name: one.longest for name, one in stages.items()})]

    @property
    def last(self) -> MeasuredList:
        """What users see."""
        return [one for one in self.lists if one.role == "stage"][-1]
