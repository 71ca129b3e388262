"""Measuring a trained model on every part of its split, and writing what was found: metrics, report, card."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.training import artefacts, card, gates
from mlsd_framework.runtime.training.artefacts import Predictions
from mlsd_framework.runtime.training.bundle import Origin
from mlsd_framework.runtime.training.gates import Gate, Outcome
from mlsd_framework.runtime.training.metrics.bootstrap import Resamples
from mlsd_framework.runtime.training.metrics.registry import Value, evaluate, find
from mlsd_framework.runtime.training.metrics.scored import IntArray, Scored
from mlsd_framework.runtime.training.metrics.slices import Slice, SliceBy, sliced
from mlsd_framework.runtime.training.report import index, page
from mlsd_framework.runtime.training.report.definition import PartFacts, Report
from mlsd_framework.runtime.training.report.index import Link
from mlsd_framework.runtime.training.report.profile import profile
from mlsd_framework.runtime.training.thresholds import Costs, Decision
from mlsd_framework.runtime.training.tracking import Run
from mlsd_framework.runtime.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

_DAY = 86_400_000_000
_INTERVALS = ("validate", "test")


@dataclass(frozen=True, slots=True)
class Subject:
    """A model's predictions on the training set, and the columns that metrics read; `time` is in microseconds UTC."""

    model: str
    data: "pl.DataFrame"
    predictions: Predictions
    label: str
    entity: str | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was found out about one model; mappings are by part."""

    subject: Subject
    scored: Mapping[str, Scored]
    values: Mapping[str, tuple[Value, ...]]
    gates: tuple[Outcome, ...]
    slices: tuple[Slice, ...]
    decision: Decision | None = None
    actions: Mapping[str, IntArray] = field(default_factory=dict)


def measure(
    subject: Subject,
    *,
    metrics: Sequence[str],
    slices: Sequence[SliceBy] = (),
    gates: Sequence[Gate] = (),
    decision: Decision | None = None,
    costs: Costs | None = None,
    resamples: Resamples | None = None,
) -> Measured:
    """Return metrics of every part that has rows, with intervals on validation and test, and slices of the test part.

    A gate's metric is computed though `metrics` does not name it. Slices leave out what is a sum over rows.
    """
    whole, actions = _scored(subject, decision, costs)
    parts = {name: rows for name, rows in subject.predictions.parts if len(rows)}
    asked = list(dict.fromkeys([*metrics, *(gate.metric for gate in gates)]))
    scored = {name: whole.take(rows) for name, rows in parts.items()}
    values = {
        name: evaluate(asked, rows, resamples=resamples if name in _INTERVALS else None)
        for name, rows in scored.items()
    }
    columns = {one.column: subject.data[one.column].to_numpy()[subject.predictions.parts.test] for one in slices}
    rates = [name for name in asked if not find(name)[0].money and "day" not in find(name)[0].needs]
    return Measured(
        subject,
        scored,
        values,
        _outcomes(gates, values),
        sliced(rates, scored["test"], columns, slices) if slices else (),
        decision,
        {} if actions is None else {name: actions[rows] for name, rows in parts.items()},
    )


def write(
    workspace: Workspace,
    measured: Measured,
    origin: Origin,
    *,
    version: str,
    currency: str = "",
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write `<model>.metrics.json` and `<model>.report.html` to the evaluation folder and the card to the model's.

    `version` is the id of the bundle that the model goes into if every gate holds.
    """
    subject = measured.subject
    manifest = artefacts.open_model(workspace.model(subject.model))
    report = Report(
        system=origin.system,
        model=subject.model,
        kind=manifest.kind,
        label=subject.label,
        version=version,
        parts=_facts(measured),
        values=measured.values,
        scored={name: rows for name, rows in measured.scored.items() if name in _INTERVALS},
        currency=currency,
        gates=measured.gates,
        decision=measured.decision,
        actions=measured.actions.get("test"),
        importances=manifest.importances,
        slices=measured.slices,
        profile=profile(subject.data.select(manifest.features)),
        facts=facts or {},
    )
    atomic.write_text(workspace.evaluation / f"{subject.model}.metrics.json", _json(measured))
    page.write(workspace.evaluation / f"{subject.model}.report.html", report)
    card.write(
        workspace.model(subject.model) / "card.md",
        card.Card(
            origin.system,
            subject.model,
            manifest.kind,
            subject.label,
            version,
            manifest.features,
            manifest.parameters,
            tuple((p.name, p.rows, p.positives, p.first, p.last) for p in report.parts),
            measured.values,
            measured.gates,
            manifest.importances,
        ),
    )


def write_index(
    workspace: Workspace, measured: Sequence[Measured], origin: Origin, *, version: str, others: Sequence[Link] = ()
) -> None:
    """Write `report.html`, the entry to the reports: it leads to the only one, or lists several with their gates.

    `others` are reports that do not belong to a model; they stand first.
    """
    links = [
        Link(
            one.subject.model,
            f"{one.subject.model}.report.html",
            sum(not outcome.holds for outcome in one.gates),
        )
        for one in measured
    ]
    index.write(workspace.evaluation / "report.html", origin.system, version, [*others, *links])


def run_of(workspace: Workspace, measured: Measured) -> Run:
    """Return what MLflow is to keep of this evaluation."""
    folder = workspace.model(measured.subject.model)
    manifest = artefacts.open_model(folder)
    return Run(
        measured.subject.model,
        parameters=manifest.parameters,
        metrics={f"{part}/{value.name}": value.value for part, found in measured.values.items() for value in found},
        artefacts={
            **{name: folder / name for name in manifest.files},
            "report": workspace.evaluation / f"{measured.subject.model}.report.html",
        },
        tags={f"sha256.{name}": digest for name, digest in manifest.files.items()},
    )


def _scored(subject: Subject, decision: Decision | None, costs: Costs | None) -> tuple[Scored, IntArray | None]:
    """Return the columns that metrics read, of all rows, and the number of each row's action."""
    label = subject.data[subject.label].to_numpy().astype(np.float64)
    probability = subject.predictions.probability
    actions = None if decision is None else decision.actions_of(probability, costs)
    cost = loss = None
    if decision is not None and costs is not None and actions is not None:
        by_action = costs.of_actions(label, len(decision.actions))
        cost, loss = by_action[actions, np.arange(len(label))], by_action[0]
    return Scored(
        label,
        subject.predictions.score,
        probability,
        None if actions is None else actions > 0,
        cost,
        loss,
        _entity(subject),
        _days(subject),
    ), actions


def _entity(subject: Subject) -> IntArray | None:
    """Return a number for each row's entity, in order of the entities' names."""
    if subject.entity is None:
        return None
    _, numbers = np.unique(subject.data[subject.entity].to_numpy(), return_inverse=True)
    return numbers.astype(np.int64)


def _days(subject: Subject) -> IntArray | None:
    if subject.time is None:
        return None
    return subject.data[subject.time].to_physical().to_numpy().astype(np.int64) // _DAY


def _outcomes(asked: Sequence[Gate], values: Mapping[str, tuple[Value, ...]]) -> tuple[Outcome, ...]:
    return gates.outcomes(asked, {part: {value.name: value.value for value in found} for part, found in values.items()})


def _facts(measured: Measured) -> tuple[PartFacts, ...]:
    return tuple(
        PartFacts(name, len(rows), int(np.count_nonzero(rows.label)), *_span(rows.day))
        for name, rows in measured.scored.items()
    )


def _span(day: NDArray[np.int64] | None) -> tuple[str, str]:
    if day is None or not len(day):
        return "", ""
    first, last = (
        datetime.fromtimestamp(int(edge) * 86_400, UTC).date().isoformat() for edge in (day.min(), day.max())
    )
    return first, last


def _json(measured: Measured) -> str:
    """Return values and intervals by part; what is not known is null."""
    content = {
        part: {
            value.name: {"value": _known(value.value)}
            | (
                {}
                if value.interval is None
                else {"low": _known(value.interval.low), "high": _known(value.interval.high)}
            )
            for value in found
        }
        for part, found in measured.values.items()
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
