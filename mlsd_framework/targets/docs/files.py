"""The file of the docs target: the design of the system as a README."""

from collections.abc import Iterator
from dataclasses import dataclass

from mlsd_framework.codegen.artefacts import Artefact
from mlsd_framework.codegen.files import markdown
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.metrics import ESTIMATES
from mlsd_framework.ir.sources import Process
from mlsd_framework.ir.system import System
from mlsd_framework.plugin.registry import Registry
from mlsd_framework.targets.docs.capacity import capacity_rows, requirement_rows, store_rows
from mlsd_framework.targets.docs.data import GroupSection, SourceSection, group_sections, label_facts, source_sections
from mlsd_framework.targets.docs.diagram import flow
from mlsd_framework.targets.docs.endpoints import EndpointSection, endpoint_sections
from mlsd_framework.targets.docs.learning import ModelSection, model_sections
from mlsd_framework.targets.docs.retrieval import outcome_facts, retrieval_tables
from mlsd_framework.targets.docs.running import Step, steps
from mlsd_framework.targets.docs.words import Table, code, codes, duration


@dataclass(frozen=True, slots=True)
class Readme:
    """The context of `docs/README.md.j2`: every text is Markdown already."""

    title: str
    spec: str
    description: str
    simulated: tuple[str, ...]
    requirements: Table
    flow: tuple[str, ...]
    sources: tuple[SourceSection, ...]
    groups: tuple[GroupSection, ...]
    label: tuple[str, ...]
    candidates: tuple[Table, ...]
    models: tuple[ModelSection, ...]
    endpoints: tuple[EndpointSection, ...]
    metrics: tuple[str, ...]
    capacity: Table
    store: Table
    environment: tuple[str, ...]
    steps: tuple[Step, ...]


def docs_files(system: System, spec: str, registry: Registry) -> Iterator[Artefact]:
    """Yield the README."""
    yield Artefact("README.md", render("docs/README.md.j2", readme(system, spec, registry)), "the whole spec")


def readme(system: System, spec: str, registry: Registry) -> Readme:
    """Return the context of a system's README."""
    return Readme(
        title=markdown(system.name),
        spec=markdown(spec),
        description=markdown(system.description),
        simulated=tuple(code(source.name) for source in system.sources if isinstance(source.origin, Process)),
        requirements=requirement_rows(system),
        flow=flow(system),
        sources=source_sections(system),
        groups=group_sections(system),
        label=label_facts(system.label) or outcome_facts(system.outcome),
        candidates=retrieval_tables(system, registry.retrievers),
        models=model_sections(system),
        endpoints=endpoint_sections(system),
        metrics=_metrics(system),
        capacity=capacity_rows(system),
        store=store_rows(system),
        environment=_environment(system),
        steps=steps(system, spec),
    )


def _metrics(system: System) -> tuple[str, ...]:
    metrics = system.metrics
    if not metrics.offline:
        return ()
    lines = [f"On the test part: {codes([one.name for one in metrics.offline])}."]
    if metrics.slices:
        lines.append(f"Also by {codes([one.column for one in metrics.slices])}.")
    if metrics.onboarding is not None:
        liked = f"{code(metrics.onboarding.column.dotted)} in {code(metrics.onboarding.value)}"
        lines.append(f"Also of users asked again as newcomers, who say nothing, or what they like ({liked}).")
    if metrics.off_policy is not None:
        lines.append(f"Off-policy estimates from {code(metrics.off_policy.source)}: {codes(ESTIMATES)}.")
    if metrics.bootstrap:
        lines.append(f"Intervals of {100 * metrics.confidence:g} % from {metrics.bootstrap} bootstrap resamples.")
    return tuple(lines)


def _environment(system: System) -> tuple[str, ...]:
    place = system.environment
    store = (
        "embedded"
        if place.online_store is None
        else f"given by the {place.online_store.source} variable or file {code(place.online_store.name)}"
    )
    token = "no token, so loopback only" if place.token is None else f"a token, by reference ({code(place.token.name)})"
    workers = f"{place.workers} worker{'s' if place.workers > 1 else ''}"
    return (
        f"{code(place.name)}: {code(place.host)}, port {place.port or 'any free one'}, {workers}, {token}.",
        f"Online store: {store}. A replaced version may finish its requests for {duration(place.drain)}.",
    )
