"""Lower what is read from a log of impressions: what a ranker learns from, and what it would have earned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from mlsd_framework.ir.metrics import OffPolicy
from mlsd_framework.ir.retrieval import HoldOut, Interactions, Outcome, Shown
from mlsd_framework.ir.sources import Column, Source
from mlsd_framework.ir.types import BOOL, FLOATS, INTEGERS, DataType
from mlsd_framework.lower.context import Context
from mlsd_framework.spec.label import LabelSpec, ShownSpec
from mlsd_framework.spec.loading import Loc
from mlsd_framework.spec.metrics import OffPolicySpec

Fits = Callable[[DataType], bool]


@dataclass(frozen=True, slots=True)
class ImpressionsLowering:
    """What a log of impressions can name."""

    sources: Mapping[str, Source]
    declared_sources: frozenset[str]
    context: Context

    def outcome(self, spec: LabelSpec, written: ShownSpec, outcome: Outcome) -> Outcome | None:
        """Return the outcome with what users were shown, or none where it has faults."""
        parts = outcome.parts
        if isinstance(parts, HoldOut):
            what = "the label has `hold_out` and `shown`: what users were shown has its moment"
            self.context.report("E2033", what, ("label", "hold_out"), help="leave `hold_out` or `shown` out")
            return None
        if spec.negatives is not None:
            what = "the label has `negatives` and `shown`: what was shown and not chosen are its negatives"
            self.context.report("E2033", what, ("label", "negatives"), help="leave `negatives` or `shown` out")
            return None
        if spec.newcomers is not None:
            what = "the label has `newcomers` and `shown`: nobody was shown anything as a newcomer who is none"
            self.context.report("E2033", what, ("label", "newcomers"), help="leave `newcomers` or `shown` out")
            return None
        found = self._shown(written, outcome.interactions, parts.within)
        if found is None:
            return None
        shown, waits = found
        every = spec.every or parts.within + waits
        return replace(outcome, parts=replace(parts, every=every), shown=shown)

    def _shown(self, spec: ShownSpec, log: Interactions, within: timedelta) -> tuple[Shown, timedelta] | None:
        """Return what users were shown, and how long after a request its outcome is known at the latest."""
        at: Loc = ("label", "shown")
        before = len(self.context.faults)
        source = self.source(spec.source, at)
        if source is None:
            return None
        self.keys(source, log, at)
        waits = spec.within or within
        if spec.request is not None:
            self.column(source, spec.request, "request", at, _countable, "a column of text or whole numbers")
        if spec.outcome is not None:
            outcome = self.column(
                source, spec.outcome, "outcome", at, _zero_or_one, "`bool` or integers that are 0 or 1"
            )
            waits = outcome.known_after if outcome is not None else waits
            if spec.within is not None:
                what = "`label.shown` has `outcome` and `within`: a column or events say what was chosen"
                self.context.report("E2033", what, (*at, "within"), help="leave one of them out")
        if len(self.context.faults) > before:
            return None
        within_ = None if spec.outcome is not None else waits
        return Shown(source.name, log.user, log.item, spec.request, spec.outcome, within_), waits

    def off_policy(self, spec: OffPolicySpec, outcome: Outcome | None, *, of_candidates: bool) -> OffPolicy | None:
        """Return the log with propensities, or none where it has faults or there is no pipeline to be valued."""
        at: Loc = ("metrics", "off_policy")
        if not of_candidates or (outcome is not None and isinstance(outcome.parts, HoldOut)):
            what = "`metrics.off_policy` is of requests of a time, which the label does not have"
            self.context.report(
                "E2105", what, at, key=True, expected="`label: {of: /recommend, within: 7d, moments: 6, …}`"
            )
            return None
        if outcome is None:  # its faults have been reported
            return None
        before = len(self.context.faults)
        source = self.source(spec.source, at)
        if source is None:
            return None
        self.keys(source, outcome.interactions, at)
        self.column(source, spec.propensity, "propensity", at, lambda type_: type_.name in FLOATS, "a `float64`")
        self.column(source, spec.reward, "reward", at, _reward, "a number or a `bool`")
        if spec.position is not None:
            self.column(source, spec.position, "position", at, _whole, "whole numbers from 1")
        if spec.request is not None:
            self.column(source, spec.request, "request", at, _countable, "a column of text or whole numbers")
        if len(self.context.faults) > before:
            return None
        log, span = outcome.interactions, self.context.span(at, key=True)
        return OffPolicy(
            source.name, log.user, log.item, spec.propensity, spec.reward, spec.position, spec.request, spec.clip, span
        )

    def source(self, name: str, at: Loc) -> Source | None:
        """Return a source of impressions, which have a time; report one that is not there or has none."""
        shown = ".".join(str(part) for part in at)
        source = self.sources.get(name)
        if source is None:
            if name not in self.declared_sources:
                what = f"`{shown}.from` refers to source `{name}`, which is not declared"
                self.context.unknown("E2004", what, (*at, "from"), name, self.declared_sources)
            return None
        if source.event_time is None:
            what = f"`{shown}.from` is `{name}`, which has no `event_time`"
            self.context.report("E2061", what, (*at, "from"), expected="a source of events")
            return None
        return source

    def keys(self, source: Source, log: Interactions, at: Loc) -> None:
        """Report the keys of the user and the item where impressions lack them or have them of another type."""
        for name in (log.user, log.item):
            own = self.column(source, name, "from", at)
            events = self.sources[log.source].column(name)
            if own is not None and events is not None and own.type.not_null() != events.type.not_null():
                what = f"`{name}` is `{own.type}` in `sources.{source.name}` and `{events.type}` in `{log.source}`"
                self.context.report("E2068", what, (*at, "from"), expected="columns of one type")

    def column(
        self, source: Source, name: str, key: str, at: Loc, fits: Fits | None = None, expected: str = ""
    ) -> Column | None:
        """Return a column of a source; report one that it lacks, or whose type does not fit."""
        shown = ".".join(str(part) for part in (*at, key))
        column = source.column(name)
        if column is None:
            what = f"`{shown}` needs the column `{name}`, which `sources.{source.name}` lacks"
            self.context.unknown("E2003", what, (*at, key), name, [one.name for one in source.columns])
        elif fits is not None and not fits(column.type):
            what = f"`{shown}` is the column `{name}` of type `{column.type}`"
            self.context.report("E2068", what, (*at, key), expected=expected)
            return None
        return column


def _reward(type_: DataType) -> bool:
    return type_.numeric or type_.name == BOOL.name


def _whole(type_: DataType) -> bool:
    return type_.name in INTEGERS


def _countable(type_: DataType) -> bool:
    return type_.text or type_.name in INTEGERS


def _zero_or_one(type_: DataType) -> bool:
    return type_.name == BOOL.name or type_.name in INTEGERS
