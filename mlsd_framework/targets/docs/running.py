"""How each generated part runs by itself, as shell lines."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from mlsd_framework.codegen.files import inside
from mlsd_framework.codegen.places import workspace
from mlsd_framework.ir.sources import Files, Process
from mlsd_framework.ir.system import System


@dataclass(frozen=True, slots=True)
class Step:
    """A command from the project's folder, and what it does."""

    command: str
    does: str


def steps(system: System, spec: str) -> tuple[Step, ...]:
    """Return the commands in the order in which a system comes to life."""
    return tuple(_steps(system, shlex.quote(spec)))


def _steps(system: System, spec: str) -> Iterator[Step]:
    folder = f"generated/{inside(system.name)}"
    if any(isinstance(source.origin, Files) and source.origin.remote for source in system.sources):
        yield Step(f"mlsd data fetch {spec}", "bring published files into the workspace")
    if any(isinstance(source.origin, Process) for source in system.sources):
        yield Step(f"mlsd data simulate {spec}", "make the simulated tables")
    if _stores(system):
        yield Step(
            f"python {folder}/training/features.py",
            "compute the stored features as of the end of the log; `--store URL` fills an online store",
        )
        yield Step(f"(cd {folder}/feature_repo && feast apply)", "register the feature views with Feast")
    for script, does in _training(system):
        yield Step(f"python {folder}/training/{script}.py", does)
    if system.serving:
        yield from _serving(system, folder)
    yield Step(f"mlsd deploy {spec}", "do all that is missing, and replace what runs")


def _training(system: System) -> Iterator[tuple[str, str]]:
    """Yield the scripts that make a version, and what each does."""
    if system.retrievers:
        yield "catalogue", "number the items that can be retrieved"
    if system.models:
        yield "dataset", "write the training set, point in time"
    for retriever in system.retrievers:
        yield retriever.name, f"fit {retriever.name}"
    for index in system.indexes:
        yield f"index_{index.name}", f"index the vectors of {index.retriever.name}"
    for model in system.models:
        yield model.name, f"train {model.name}"
    if system.models or system.retrievers:
        yield "evaluate", "thresholds, metrics, gates, report, version"


def _serving(system: System, folder: str) -> Iterator[Step]:
    store = "MLSD_STORE_URL=redis://127.0.0.1:6379 " if _stores(system) else ""
    version = f"{workspace(system)}/versions/VERSION"
    variables = f"{store}MLSD_BUNDLE=$PWD/{version} "
    yield Step(f"(export {variables}&& cd {folder}/service && bentoml serve service:Service)", "serve one version")
    yield Step(f"(cd {folder}/service && bentoml build)", "pack the service as a bento")
    if system.live:
        yield Step(f"python {folder}/service/updater.py --store URL", "keep live features up to date from streams")
    if system.indexes and system.requirements.index_freshness is not None:
        given = f"--bundle {version} --changes {workspace(system)}/items/VERSION"
        yield Step(
            f"python {folder}/service/indexer.py {given} --store URL",
            "keep the items of a version in step with their tables",
        )


def _stores(system: System) -> bool:
    return bool(system.windows or system.tables)
