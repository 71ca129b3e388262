"""Metrics: what is measured, over which slices."""

from dataclasses import dataclass, field
from typing import Final

from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.settings import LATER

ESTIMATES: Final = ("ips", "snips", "doubly_robust")
"""What a gate may name of `off_policy`: estimates of the reward of a row."""

Parameter = str | int | float | bool | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `needs` names what a model or a decision must give for it."""

    name: str
    kind: str
    parameters: tuple[tuple[str, Parameter], ...]
    needs: frozenset[str]
    higher_is_better: bool
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """A column of the training set; `bins` are edges, none for a slice a value."""

    column: str
    bins: tuple[float, ...] | None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class OffPolicy:
    """A log with propensities: rows of `source` of one `user` with one value of `request`, or else of one time.

    `propensity`, `reward` and `position` are columns; without a position each row is of the first place.
    """

    source: str
    user: str
    item: str
    propensity: str
    reward: str
    position: str | None = None
    request: str | None = None
    clip: float | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Onboarding:
    """Users of the test asked again as new ones: the request's `value` has the `most` most frequent of `column`.

    At most `sample` of them are.
    """

    value: str
    column: FeatureRef
    most: int
    sample: int
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """All metrics of a system."""

    offline: tuple[Metric, ...] = ()
    slices: tuple[Slice, ...] = ()
    bootstrap: int = 200
    confidence: float = 0.95
    off_policy: OffPolicy | None = field(default=None, metadata={LATER: True})
    onboarding: Onboarding | None = field(default=None, metadata={LATER: True})
