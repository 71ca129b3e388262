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
    stored = bool(system.windows or system.tables)
    if any(isinstance(source.origin, Files) and source.origin.remote for source in system.sources):
        yield Step(f"mlsd data fetch {spec}", "bring published files into the workspace")
    if any(isinstance(source.origin, Process) for source in system.sources):
        yield Step(f"mlsd data simulate {spec}", "make the simulated tables")
    if stored:
        yield Step(
            f"python {folder}/training/features.py",
            "compute the stored features as of the end of the log; `--store URL` fills an online store",
        )
        yield Step(f"(cd {folder}/feature_repo && feast apply)", "register the feature views with Feast")
    if system.models:
        yield Step(f"python {folder}/training/dataset.py", "write the training set, point in time")
    for model in system.models:
        yield Step(f"python {folder}/training/{model.name}.py", f"train {model.name}")
    if system.models:
        yield Step(f"python {folder}/training/evaluate.py", "thresholds, metrics, gates, report, version")
    if system.serving:
        store = "MLSD_STORE_URL=redis://127.0.0.1:6379 " if stored else ""
        version = f"MLSD_BUNDLE=$PWD/{workspace(system)}/versions/VERSION "
        yield Step(
            f"(export {store}{version}&& cd {folder}/service && bentoml serve service:Service)", "serve one version"
        )
        yield Step(f"(cd {folder}/service && bentoml build)", "pack the service as a bento")
    if system.live:
        yield Step(f"python {folder}/service/updater.py --store URL", "keep live features up to date from streams")
    if system.indexes and system.requirements.index_freshness is not None and system.serving:
        place = workspace(system)
        version = f"--bundle {place}/versions/VERSION --changes {place}/items/VERSION"
        yield Step(
            f"python {folder}/service/indexer.py {version} --store URL",
            "keep the items of a version in step with their tables",
        )
    yield Step(f"mlsd deploy {spec}", "do all that is missing, and replace what runs")
