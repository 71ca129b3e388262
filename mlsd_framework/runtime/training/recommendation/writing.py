"""Writing what was found out about a pipeline: metrics, report, card, the run that is tracked."""

from collections.abc import Mapping
from urllib.parse import quote

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.training.bundle import Origin
from mlsd_framework.runtime.training.recommendation import card, results
from mlsd_framework.runtime.training.recommendation.measured import Measured
from mlsd_framework.runtime.training.report.index import Link
from mlsd_framework.runtime.training.report.recommendation import page
from mlsd_framework.runtime.training.tracking import Run
from mlsd_framework.runtime.workspace import Workspace


def write(
    workspace: Workspace,
    measured: Measured,
    origin: Origin,
    *,
    version: str,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write `<pipeline>.pipeline.metrics.json`, `.report.html` and `.card.md` to the evaluation folder.

    `version` is the id of the bundle that the pipeline goes into if every gate holds; `facts` are further lines of the
    report's header. What the name of the pipeline has of a path is quoted: `/feed/home` is `feed%2Fhome`.
    """
    told, further = workspace.evaluation / _stem(measured), facts or {}
    figures = results.text(measured, system=origin.system, version=version, facts=further)
    atomic.write_text(told.with_name(f"{told.name}.metrics.json"), figures)
    page.write(
        told.with_name(f"{told.name}.report.html"), measured, system=origin.system, version=version, facts=further
    )
    card.write(told.with_name(f"{told.name}.card.md"), measured, system=origin.system, version=version, facts=further)


def link(measured: Measured) -> Link:
    """Return the line of `report.html` that leads to this report."""
    failed = sum(not outcome.holds for outcome in measured.gates)
    return Link(measured.subject.pipeline, f"{_stem(measured)}.report.html", failed)


def run_of(workspace: Workspace, measured: Measured) -> Run:
    """Return what MLflow is to keep of this evaluation: every metric of every stage, source and baseline."""
    found = [(f"{one.role}/{one.name}", one.values) for one in measured.lists]
    found += [(f"slice/{one.name}/{one.stage}", one.values) for one in measured.slices]
    return Run(
        measured.subject.pipeline,
        parameters={"k": measured.k, "requests": measured.funnel.requests, "relevant": measured.funnel.relevant},
        metrics={f"{place}/{name}": value.value for place, values in found for name, value in values.items()},
        artefacts={"report": workspace.evaluation / f"{_stem(measured)}.report.html"},
    )


def _stem(measured: Measured) -> str:
    name = quote(measured.subject.pipeline.strip("/"), safe="") or "pipeline"
    return f"{name.lstrip('.')}.pipeline"
