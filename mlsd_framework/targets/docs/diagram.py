"""The data-flow diagram: what happens offline to make a version, and what happens to a request."""

from collections.abc import Iterator, Mapping

from mlsd_framework.codegen.files import mermaid
from mlsd_framework.ir.expressions import columns
from mlsd_framework.ir.features import FeatureGroup, RequestGroup, WindowGroup
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.serving import Endpoint, Stage
from mlsd_framework.ir.sources import Process
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.compute.kind import ComputeSettings
from mlsd_framework.kinds.stages.decide.kind import DecideSettings
from mlsd_framework.kinds.stages.explain.kind import ExplainSettings
from mlsd_framework.kinds.stages.fetch.kind import FetchSettings
from mlsd_framework.kinds.stages.retrieve.settings import RetrieveSettings
from mlsd_framework.kinds.stages.score.kind import ScoreSettings
from mlsd_framework.spec.quantities import write_duration


def flow(system: System) -> tuple[str, ...]:
    """Return the lines of a Mermaid flowchart; names of nodes are counted, labels alone come from the spec."""
    return (
        "flowchart LR",
        *_offline(system),
        *(line for index in range(len(system.serving)) for line in _online(system, index)),
    )


def _offline(system: System) -> Iterator[str]:
    nodes = {source.name: f"s{index}" for index, source in enumerate(system.sources)}
    yield '  subgraph offline["offline"]'
    for source in system.sources:
        word = f"{source.name}, simulated" if isinstance(source.origin, Process) else source.name
        yield f"    {nodes[source.name]}[({mermaid(word)})]"
    for index, group in enumerate(system.features):
        yield f"    g{index}[{mermaid(group.name)}]"
        yield from (f"    {nodes[source]} --> g{index}" for source in group.sources)
        if system.label is not None and _reads_label(group, system.label):
            yield f"    {nodes[system.label.source]} --> g{index}"
    if system.models:
        yield '    dataset[["training set"]]'
        yield from (f"    g{index} --> dataset" for index in range(len(system.features)))
        if system.label is not None:
            yield f"    {nodes[system.label.source]} -->|label| dataset"
    if system.models or system.retrievers:
        held = "models, indexes" if system.retrievers else "models, calibration, thresholds"
        yield f'    version[["version: {held}"]]'
    for index, model in enumerate(system.models):
        yield f"    dataset --> m{index}[{mermaid(model.name)}] --> version"
    yield from _retrieval(system, nodes)
    yield "  end"
    stored = [index for index, group in enumerate(system.features) if not isinstance(group, RequestGroup)]
    if stored:
        yield '  store[("online store")]'
        yield from (f"  g{index} --> store" for index in stored)


def _retrieval(system: System, nodes: Mapping[str, str]) -> Iterator[str]:
    """Yield the models that find candidates, in one node for each log that they learn from, and their indexes."""
    logs = dict.fromkeys(one.interactions.source for one in system.retrievers)
    for place, log in enumerate(logs):
        models = [one.name for one in system.retrievers if one.interactions.source == log]
        yield f"    r{place}[{mermaid(', '.join(models))}]"
        yield f"    {nodes[log]} --> r{place} --> version"
        if system.outcome is not None:
            yield f"    r{place} -->|candidates| dataset"
        for index, one in enumerate(system.indexes):
            if one.retriever.interactions.source == log:
                yield f"    r{place} --> i{index}[{mermaid(f'index {one.name}')}] --> version"


def _reads_label(group: FeatureGroup, label: Label) -> bool:
    if not isinstance(group, WindowGroup) or label.source == group.source:
        return False
    read = [one for aggregate in group.aggregates for one in (aggregate.value, aggregate.where) if one is not None]
    return any(column.name in (label.name, label.column) for one in read for column in columns(one))


def _online(system: System, number: int) -> Iterator[str]:
    endpoint = system.serving[number]
    name = f"e{number}"
    yield f"  subgraph {name}[{mermaid(f'POST {endpoint.path}')}]"
    asked = f"a row of {endpoint.source}" if endpoint.source is not None else "a request"
    yield f"    {name}_request([{mermaid(asked)}])"
    before = f"{name}_request"
    for index, stage in enumerate(_straight(endpoint)):
        yield f"    {before} --> {name}_{index}[{mermaid(_label(stage))}]"
        before = f"{name}_{index}"
    yield f"    {before} --> {name}_answer([answer])"
    yield "  end"
    for index, stage in enumerate(_straight(endpoint)):
        if isinstance(stage.settings, FetchSettings):
            yield f"  store --> {name}_{index}"
        if isinstance(stage.settings, ScoreSettings | DecideSettings | RetrieveSettings):
            yield f"  version --> {name}_{index}"
    for index, stage in enumerate(endpoint.pipeline):
        if stage.kind == "fallback":
            node = f"{name}_f{index}[{mermaid(_label(stage))}]"
            yield f"  {name}_request -.->|a stage falls back| {node} -.-> {name}_answer"


def _straight(endpoint: Endpoint) -> list[Stage]:
    return [stage for stage in endpoint.pipeline if stage.kind != "fallback"]


def _label(stage: Stage) -> str:
    named = f"{stage.kind} {_object(stage)}".strip()
    return named if stage.budget is None else f"{named}, {write_duration(stage.budget)}"


def _object(stage: Stage) -> str:
    match stage.settings:
        case FetchSettings(groups=groups):
            return ", ".join(group.name for group in groups)
        case ComputeSettings(group=group):
            return group.name
        case ScoreSettings(model=model) | ExplainSettings(model=model):
            return model.name
        case DecideSettings(actions=actions):
            return " / ".join(actions)
        case _:
            return "" if stage.name == stage.kind else stage.name
