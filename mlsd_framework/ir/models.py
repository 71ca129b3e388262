"""Models: inputs, label, split, and what a kind adds."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.ir.types import DataType


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """Parts in order of time: shares of the rows, or lengths of time counted from `start`."""

    train: float | timedelta
    validate: float | timedelta
    test: float | timedelta
    gap: timedelta
    start: str | None = None
    exclude_known: tuple[str, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class GroupSplit:
    """No value of `group` stands in two parts."""

    group: str
    train: float
    validate: float
    test: float
    seed: int
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class StratifiedSplit:
    """Rows drawn at random with the label's proportions kept."""

    train: float
    validate: float
    test: float
    seed: int
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class CandidateSplit:
    """The parts are those of the label of candidates: of moments of the past, or of events that are held out."""

    held_out: bool = False
    validate: bool = True
    span: Span | None = None


Split = TimeSplit | GroupSplit | StratifiedSplit | CandidateSplit


@dataclass(frozen=True, slots=True)
class Output:
    """What a model says of a row: `role` tells metrics and decisions what it can be used for."""

    name: str
    type: DataType
    role: Literal["probability", "score", "value", "embedding"]


@dataclass(frozen=True, slots=True)
class Gate:
    """A comparison that has to hold for the model to be deployed.

    `stage` is the stage of a pipeline that is measured, none for the last one; `slice` those rows that count, none for
    all.
    """

    metric: str
    op: Literal["<", "<=", ">", ">="]
    value: float
    text: str
    stage: str | None = None
    slice: str | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Imbalance:
    """How a rare class is weighed."""

    class_weights: str | tuple[tuple[str, float], ...] | None = None
    sampling: str | None = None
    ratio: float = 0.1


@dataclass(frozen=True, slots=True)
class Tuning:
    """A search over hyperparameters."""

    trials: int
    metric: str
    timeout: timedelta | None
    seed: int


@dataclass(frozen=True, slots=True)
class Model:
    """A named model; `settings` are the kind's own, in the order of its declaration.

    `explains` says whether the kind can tell how much each feature moved a score, `ranks` whether it scores candidates.
    """

    name: str
    kind: str
    features: tuple[FeatureRef, ...]
    label: str | None
    split: Split
    seed: int
    outputs: tuple[Output, ...]
    settings: tuple[tuple[str, SettingValue], ...]
    gates: tuple[Gate, ...] = ()
    calibration: str | None = None
    imbalance: Imbalance = Imbalance()
    tuning: Tuning | None = None
    describe: str | None = None
    explains: bool = False
    ranks: bool = False
    span: Span | None = None

    def setting(self, name: str) -> SettingValue:
        """Return one of the kind's own settings."""
        return dict(self.settings)[name]
