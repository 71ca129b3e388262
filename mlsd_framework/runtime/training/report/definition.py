"""What a report says, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlsd_framework.runtime.training.gates import Outcome
from mlsd_framework.runtime.training.metrics.registry import Value
from mlsd_framework.runtime.training.metrics.scored import IntArray, Scored
from mlsd_framework.runtime.training.metrics.slices import Slice
from mlsd_framework.runtime.training.report.profile import FeatureProfile
from mlsd_framework.runtime.training.thresholds import Decision


@dataclass(frozen=True, slots=True)
class PartFacts:
    """One part of the split: its size and its days."""

    name: str
    rows: int
    positives: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Report:
    """A model of a system and all that was measured of it.

    `values` and `scored` are by part; the charts compare the parts of `scored`. `actions` is the number of the action
    of each row of the test part, `decision` what chose it. `facts` are further lines of the header.
    """

    system: str
    model: str
    kind: str
    label: str
    version: str
    parts: Sequence[PartFacts]
    values: Mapping[str, Sequence[Value]]
    scored: Mapping[str, Scored]
    currency: str = ""
    gates: Sequence[Outcome] = ()
    decision: Decision | None = None
    actions: IntArray | None = None
    importances: Mapping[str, float] = field(default_factory=dict)
    slices: Sequence[Slice] = ()
    profile: Sequence[FeatureProfile] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
