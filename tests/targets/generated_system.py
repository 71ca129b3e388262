"""The reference system on a tiny simulated stream, run as a person would: each generated part by itself."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from mlsd_framework.codegen.artefacts import write
from mlsd_framework.codegen.places import process_folder
from mlsd_framework.ir.sources import Process
from mlsd_framework.ir.system import System
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.runtime.data.simulate import write_cards
from mlsd_framework.runtime.workspace import Workspace
from mlsd_framework.spec.document import read_document
from mlsd_framework.targets import artefacts

ROOT = Path(__file__).parents[2]
TINY = {"profile": "extended", "customers": 150, "terminals": 60, "days": 70, "start": "2018-04-01", "seed": 3}


@dataclass(frozen=True, slots=True)
class GeneratedSystem:
    """A project folder in which every script has run."""

    folder: Path
    system: System
    workspace: Workspace
    said: dict[str, str]

    @property
    def generated(self) -> Path:
        """Return the folder of the generated files."""
        return self.folder / "generated" / self.system.name

    def table(self, name: str) -> pl.DataFrame:
        """Return a simulated table as it lies on disk."""
        origin = self.system.source(name).origin
        assert isinstance(origin, Process)
        return pl.read_parquet(self.folder / process_folder(origin, self.system) / f"{origin.table}.parquet")

    def run(self, script: str, *arguments: str, cwd: Path | None = None) -> str:
        """Run one generated script, in a process of its own; return what it says."""
        return command([sys.executable, str(self.generated / script), *arguments], self.folder, cwd)


def command(words: list[str], folder: Path, cwd: Path | None = None, **variables: str) -> str:
    """Run a command of the project with more variables; fail with what it said where it fails."""
    environment = {
        **os.environ,
        "MLSD_PROJECT": str(folder),
        "PYTHONPATH": str(ROOT),
        "FEAST_USAGE": "False",
        "MPLBACKEND": "Agg",
        **variables,
    }
    found = subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd or folder, env=environment)
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-3000:]
    return found.stdout


def generate(folder: Path) -> GeneratedSystem:
    """Write a tiny `card-fraud`, its data, and run every training script."""
    made = written(folder)
    for script in ("features", "dataset", "fraud", "novelty", "evaluate"):
        made.said[script] = made.run(f"training/{script}.py")
    return made


def written(folder: Path, **environment: Any) -> GeneratedSystem:
    """Write a tiny `card-fraud` and its data; run nothing. `environment` changes where it runs."""
    data: dict[str, Any] = read_document(ROOT / "specs" / "fraud.yaml").data
    for source in data["sources"].values():
        source["with"] = dict(TINY)
    data["models"]["fraud"] |= {"gates": [], "iterations": 25}
    data["models"]["novelty"] |= {"trees": 20}
    data["metrics"] |= {"bootstrap": 0}
    data["environments"]["local"] |= environment
    (folder / "specs").mkdir(parents=True)
    (folder / "specs" / "fraud.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    compiled = compile_spec(folder / "specs" / "fraud.yaml")
    system = compiled.system
    write(folder / "generated" / system.name, {one.path: one.text for one in artefacts(system, compiled.registry)})
    origin = system.source("payments").origin
    assert isinstance(origin, Process)
    write_cards(
        folder / process_folder(origin, system),
        **{key: value for key, value in origin.settings if isinstance(value, str | int)},
    )
    return GeneratedSystem(folder, system, Workspace(folder / ".mlsd" / system.name), {})
