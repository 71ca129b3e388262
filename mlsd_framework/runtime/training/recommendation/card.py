"""The card of a pipeline: what it answers, how well and for whom, in Markdown beside its report."""

import math
from collections.abc import Mapping
from pathlib import Path

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.ranking_metrics.estimates import Estimate
from mlsd_framework.runtime.training.card import cell, gates, table
from mlsd_framework.runtime.training.metrics.bootstrap import Interval
from mlsd_framework.runtime.training.recommendation.measured import Measured


def write(path: Path, measured: Measured, *, system: str, version: str, facts: Mapping[str, str]) -> None:
    """Write the card to `path`."""
    atomic.write_text(path, text(measured, system=system, version=version, facts=facts))


def text(measured: Measured, *, system: str, version: str, facts: Mapping[str, str]) -> str:
    """Return the card as Markdown; names from the spec and the data cannot break out of their table cells."""
    subject, last = measured.subject, measured.last
    sizes = {
        "requests": f"{measured.funnel.requests:,}",
        "relevant items": f"{measured.funnel.relevant:,}",
        "items in the catalogue": f"{len(subject.catalogue):,}",
        **facts,
    }
    against = [one for one in measured.lists if one.role == "baseline"]
    quality = [
        (name, _figure(last.values[name]), *(_figure(one.values[name]) for one in against))
        for name in (*measured.metrics, *(one for one in measured.beyond if one not in measured.metrics))
    ]
    stages = [
        (
            one.name,
            _count(one.candidates),
            f"{one.found:,}",
            f"{one.lost:,}",
            f"{one.added:,}",
        )
        for one in measured.funnel.stages
    ]
    sources, parts = (", ".join(map(cell, names)) for names in (subject.sources, subject.stages))
    blocks = [
        f"# {cell(subject.pipeline)}\n",
        f"Recommends in the system {cell(system)}, version {cell(version)}.\n",
        f"Candidates of {sources}; then {parts}.\n",
        "## Data\n",
        table(("", ""), list(sizes.items())),
        "## Quality\n",
        table(("metric", "pipeline", *(one.name for one in against)), quality),
    ]
    if measured.gates:
        blocks += ["## Gates\n", gates(measured.gates)]
    blocks += ["## Where relevant items are lost\n", table(("stage", "candidates", "found", "lost", "added"), stages)]
    if measured.policies:
        blocks += [f"## What it would have earned, by a log of {cell(_reward(measured))}\n", _policies(measured)]
    blocks += ["## For whom and for what\n", _slices(measured)]
    return "\n".join(blocks)


def _reward(measured: Measured) -> str:
    logged = measured.subject.logged
    return "reward" if logged is None else logged.reward


def _policies(measured: Measured) -> str:
    rows = [
        (
            one.estimator.replace("_", " "),
            _bounded(one.value, one.interval),
            f"{one.effective_size:,.0f} of {one.rows:,}",
            f"{one.mean_weight:.3f}",
        )
        for one in measured.policies
    ]
    return table(("estimate", "mean reward", "effective rows", "mean weight"), rows)


def _slices(measured: Measured) -> str:
    """Return a row a slice, with each metric at the stage where it says something."""
    values = {(one.name, name): value for one in measured.slices for name, value in one.values.items()}
    names = list(dict.fromkeys(name for _, name in values))
    requests = {one.name: f"{one.requests:,}" for one in measured.slices}
    rows = [
        (one, count, *(_figure(values[one, name]) if (one, name) in values else "" for name in names))
        for one, count in requests.items()
    ]
    return table(("slice", "requests", *(f"{name}, {measured.stage_of(name).name}" for name in names)), rows)


def _figure(one: Estimate) -> str:
    return _bounded(one.value, one.interval)


def _bounded(value: float, interval: Interval | None) -> str:
    """Return a figure with its interval, nothing where it is not known."""
    if math.isnan(value):
        return ""
    if interval is None or math.isnan(interval.low):
        return f"{value:.4g}"
    return f"{value:.4g} ({interval.low:.4g} to {interval.high:.4g})"


def _count(mean: float) -> str:
    return "" if math.isnan(mean) else f"{mean:,.0f}"
