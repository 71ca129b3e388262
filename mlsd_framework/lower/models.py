"""Lower `models`: inputs, label, split, gates."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any, Final, cast

from mlsd_framework.ir.entities import Entity
from mlsd_framework.ir.features import FeatureGroup, FeatureRef
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.models import (
    CandidateSplit,
    Gate,
    GroupSplit,
    Imbalance,
    Model,
    Split,
    StratifiedSplit,
    TimeSplit,
    Tuning,
)
from mlsd_framework.ir.retrieval import CANDIDATES, HoldOut, Outcome
from mlsd_framework.ir.sources import Source
from mlsd_framework.lower.context import Context
from mlsd_framework.lower.kinds import MetricLowering, ModelLowering
from mlsd_framework.lower.request import request_columns
from mlsd_framework.spec.loading import Loc
from mlsd_framework.spec.models import GroupSplitSpec, ModelSpec, StratifiedSplitSpec, TimeSplitSpec

_GATE: Final = re.compile(
    r"\s*([A-Za-z]\w*)\s*(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?(?:[eE]-?\d+)?)"
    r"(?:\s+at\s+([A-Za-z]\w*))?(?:\s+for\s+([A-Za-z][\w=.-]*))?\s*\Z"
)
_EXACT: Final = 1e-9  # how far shares may be from 100%, in binary


@dataclass
class ModelInputs:
    """What a model's features and label can name."""

    groups: Mapping[str, FeatureGroup]
    declared_groups: frozenset[str]
    sources: Mapping[str, Source]
    entities: Mapping[str, Entity]
    label: Label | None
    label_declared: bool
    metrics: Mapping[str, MetricLowering]
    context: Context
    outcome: Outcome | None = None
    candidates: tuple[FeatureRef, ...] = ()

    def lower(self, specs: Mapping[str, ModelSpec], kinds: Mapping[str, ModelLowering]) -> dict[str, Model]:
        """Return the models that have no faults, in the order of the file."""
        found = {}
        for name, spec in specs.items():
            model = self._model(name, spec, kinds[spec.kind])
            if model is not None:
                found[name] = model
        return found

    def _model(self, name: str, spec: ModelSpec, kind: ModelLowering) -> Model | None:
        before = len(self.context.faults)
        features = [ref for index, text in enumerate(spec.features) for ref in self._features(name, text, index, kind)]
        self._label(name, spec)
        self._search(name, spec)
        gates = tuple(gate for index, text in enumerate(spec.gates) if (gate := self._gate(name, text, index)))
        split = self._split(name, spec)
        if len(self.context.faults) > before or split is None or not features:
            return None
        return Model(
            name=name,
            kind=spec.kind,
            features=tuple({ref.dotted: ref for ref in reversed(features)}.values())[::-1],
            label=spec.label,
            split=split,
            seed=spec.seed,
            outputs=kind.outputs(name, self.label),
            ranks=getattr(kind, "ranks", False),
            settings=kind.settings(spec),
            gates=gates,
            calibration=_choice(spec, "calibration"),
            imbalance=_imbalance(spec),
            tuning=_tuning(spec),
            describe=spec.describe,
            explains=kind.explains,
            span=self.context.span(("models", name), key=True),
        )

    def _features(self, model: str, text: str, index: int, kind: ModelLowering) -> list[FeatureRef]:
        at: Loc = ("models", model, "features", index)
        shown = f"`models.{model}.features[{index}]`"
        group, dot, name = text.partition(".")
        if not dot:
            return self._request_column(text, shown, at, kind)
        if group == CANDIDATES and (self.candidates or (self.label_declared and self.label is None)):
            return self._of_candidates(name, text, shown, at) if self.outcome is not None else []
        if group not in self.groups:
            if group not in self.declared_groups:
                self.context.unknown(
                    "E2001",
                    f"{shown} refers to feature group `{group}`, which is not declared",
                    at,
                    group,
                    self.declared_groups,
                )
            return []
        features = self.groups[group].features
        chosen = [one for one in features if name in ("*", one.name)]
        if not chosen:
            what = f"{shown} refers to feature `{text}`, which is not declared"
            self.context.unknown("E2001", what, at, text, [f"{group}.{one.name}" for one in features])
        refs = [FeatureRef(group, one.name, one.type, one.describe, self.context.span(at)) for one in chosen]
        return [ref for ref in refs if self._fits(ref, model, shown, at, kind)]

    def _of_candidates(self, name: str, text: str, shown: str, at: Loc) -> list[FeatureRef]:
        chosen = [replace(one, span=self.context.span(at)) for one in self.candidates if fnmatchcase(one.name, name)]
        if not chosen:
            what = f"{shown} refers to feature `{text}`, which no source of candidates gives"
            self.context.unknown("E2001", what, at, text, [one.dotted for one in self.candidates])
        return chosen

    def _request_column(self, name: str, shown: str, at: Loc, kind: ModelLowering) -> list[FeatureRef]:
        if self.label_declared and self.label is None:
            if self.candidates:
                patterns = [f"{group}.*" for group in (CANDIDATES, *self.groups)]
                what = f"{shown} refers to `{name}`, and candidates have features of groups only"
                self.context.unknown("E2001", what, at, name, patterns)
            return []  # nothing says which rows are the examples, and that has been reported
        source = self.sources.get(self.label.of) if self.label else next(iter(self.sources.values()), None)
        if source is None:
            return []
        known = request_columns(source, self.label)
        column = next((one for one in known if one.name == name), None)
        if column is None:
            if source.column(name) is not None or (self.label and name == self.label.name):
                self.context.report("E2101", f"{shown} is `{name}`, which is the label or is only known later", at)
            else:
                names = [one.name for one in known] + [f"{group}.*" for group in self.groups]
                self.context.unknown("E2001", f"{shown} refers to `{name}`, which is not declared", at, name, names)
            return []
        ref = FeatureRef(None, name, column.type, column.describe or name.replace("_", " "), self.context.span(at))
        return [ref] if self._fits(ref, str(at[1]), shown, at, kind) else []

    def _fits(self, ref: FeatureRef, model: str, shown: str, at: Loc, kind: ModelLowering) -> bool:
        if kind.accepts(ref.type):
            return True
        self.context.report(
            "E2035",
            f"{shown} is `{ref.dotted}` of type `{ref.type}`, which `models.{model}` cannot take",
            at,
            help="compute a number from it, or leave it out",
        )
        return False

    def _label(self, name: str, spec: ModelSpec) -> None:
        if spec.label is None:
            return
        at: Loc = ("models", name, "label")
        labels: list[Label | Outcome | None] = [self.label, self.outcome]
        known = [one.name for one in labels if one is not None]
        if (not known and not self.label_declared) or (known and spec.label not in known):
            self.context.unknown(
                "E2006", f"`models.{name}.label` is `{spec.label}`, which is not declared", at, spec.label, known
            )

    def _search(self, name: str, spec: ModelSpec) -> None:
        """Hold the metric of a search against the kinds of metric that need no decision."""
        tuning = getattr(spec, "tune", None)
        able = [one.name for one in self.metrics.values() if one.needs <= {"score", "probability", "label"}]
        if tuning is not None and tuning.metric not in able:
            what = f"`models.{name}.tune` improves the metric `{tuning.metric}`, which a search cannot compute"
            self.context.unknown("E2106", what, ("models", name, "tune", "metric"), tuning.metric, able)

    def _gate(self, name: str, text: str, index: int) -> Gate | None:
        at: Loc = ("models", name, "gates", index)
        match = _GATE.match(text)
        if match is None:
            self.context.report(
                "E2036",
                f"`models.{name}.gates[{index}]` is not a comparison of a metric",
                at,
                expected="such as `average_precision >= 0.8`",
            )
            return None
        return Gate(match[1], cast("Any", match[2]), float(match[3]), text, match[4], match[5], self.context.span(at))

    def _split(self, name: str, spec: ModelSpec) -> Split | None:
        at: Loc = ("models", name, "split")
        split = spec.split
        if self.outcome is not None:
            if "split" in spec.model_fields_set:
                what = f"`models.{name}` learns from candidates, whose parts are those of the label"
                self.context.report("E2037", what, at, key=True, help="leave `split` out")
            return CandidateSplit(isinstance(self.outcome.parts, HoldOut))
        shares = (split.train, split.validate_, split.test)
        if all(isinstance(one, float) for one in shares) and abs(sum(cast("tuple[float, ...]", shares)) - 1) > _EXACT:
            total = sum(cast("tuple[float, ...]", shares))
            self.context.report(
                "E2037", f"the parts of `models.{name}.split` add up to {total:.0%}", at, key=True, expected="100%"
            )
            return None
        if empty := [name for name in ("train", "test") if not getattr(split, name)]:
            self.context.report(
                "E2037",
                f"the part `{empty[0]}` of `models.{name}.split` is empty",
                (*at, empty[0]),
                expected="more than 0",
            )
            return None
        if isinstance(split, GroupSplitSpec):
            return GroupSplit(
                split.group, split.train, split.validate_, split.test, split.seed, self.context.span(at, key=True)
            )
        if isinstance(split, StratifiedSplitSpec):
            return StratifiedSplit(
                split.train, split.validate_, split.test, split.seed, self.context.span(at, key=True)
            )
        return self._time_split(name, split)

    def _time_split(self, name: str, split: TimeSplitSpec) -> Split | None:
        at: Loc = ("models", name, "split")
        lengths = [isinstance(one, timedelta) for one in (split.train, split.validate_, split.test)]
        if any(lengths) and not (all(lengths) and split.start is not None):
            self.context.report(
                "E2037",
                f"`models.{name}.split` mixes shares and lengths of time, or lacks `start`",
                at,
                key=True,
                expected="three shares, or `start` and three lengths",
            )
            return None
        known: tuple[str, ...] = ()
        if split.exclude_known is not None:
            if split.exclude_known not in self.entities:
                what = f"`exclude_known` of `models.{name}` refers to entity `{split.exclude_known}`"
                self.context.unknown(
                    "E2005",
                    f"{what}, which is not declared",
                    (*at, "exclude_known"),
                    split.exclude_known,
                    self.entities,
                )
                return None
            known = self.entities[split.exclude_known].key
        start = split.start.isoformat() if split.start else None
        gap, span = split.gap or timedelta(0), self.context.span(at, key=True)
        return TimeSplit(split.train, split.validate_, split.test, gap, start, known, span)


def _choice(spec: ModelSpec, name: str) -> str | None:
    value = getattr(spec, name, None)
    return None if value in (None, "none") else str(value)


def _imbalance(spec: ModelSpec) -> Imbalance:
    found = getattr(spec, "imbalance", None)
    if found is None:
        return Imbalance()
    weights = tuple(found.class_weights.items()) if isinstance(found.class_weights, dict) else found.class_weights
    return Imbalance(weights, found.sampling, found.ratio)


def _tuning(spec: ModelSpec) -> Tuning | None:
    found = getattr(spec, "tune", None)
    return Tuning(found.trials, found.metric, found.timeout, found.seed) if found is not None else None
