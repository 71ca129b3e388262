"""A project in a temporary folder: a spec compiled, its data, its generated scripts run as users do."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from mlsd_framework.codegen.artefacts import write
from mlsd_framework.codegen.places import fetched_folder, process_folder, workspace
from mlsd_framework.ir.sources import Files, Process, Source
from mlsd_framework.ir.system import System
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.runtime.data.fetch import fetch
from mlsd_framework.runtime.data.simulate import write_cards
from mlsd_framework.runtime.training.artefacts import Predictions, read_predictions
from mlsd_framework.runtime.training.metrics.registry import evaluate
from mlsd_framework.runtime.training.metrics.scored import Scored
from mlsd_framework.runtime.workspace import Workspace
from mlsd_framework.targets import artefacts

ROOT = Path(__file__).resolve().parents[2]
_DAY = 86_400_000_000


@dataclass(frozen=True)
class BuiltProject:
    """A folder with `generated/<system>/` and the data that its sources read."""

    folder: Path
    system: System

    @property
    def workspace(self) -> Workspace:
        """Where the system's state is."""
        return Workspace(self.folder / workspace(self.system))

    def run(self, script: str, *, check: bool = True) -> str:
        """Run `training/<script>.py` in a process of its own and return what it prints."""
        path = self.folder / "generated" / self.system.name / "training" / f"{script}.py"
        done = subprocess.run([sys.executable, path], env=environment(), capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{script}.py: {done.stderr.strip()}")
        return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]

    def test_metrics(self, model: str) -> dict[str, float]:
        """Return the metrics of the test part that `evaluate.py` wrote."""
        text = (self.workspace.evaluation / f"{model}.metrics.json").read_text()
        return {name: one["value"] for name, one in json.loads(text)["test"].items()}

    def predictions(self, model: str) -> Predictions:
        """Return a trained model's predictions and the parts of its split."""
        return read_predictions(self.workspace.model(model))


def environment() -> dict[str, str]:
    """Return the environment of a process that imports this copy of the framework."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def build(spec: str, folder: Path, *, env: str | None = None, assignments: Sequence[str] = ()) -> BuiltProject:
    """Compile `specs/<spec>` into `folder`, as `mlsd build` does, and provide its data."""
    compiled = compile_spec(ROOT / "specs" / spec, environment=env, assignments=assignments)
    system = compiled.system
    files = {one.path: one.text for one in artefacts(system, compiled.registry)}
    write(folder / "generated" / system.name, files)
    for source in system.sources:
        _provide(source, system, folder)
    return BuiltProject(folder, system)


def _provide(source: Source, system: System, folder: Path) -> None:
    match source.origin:
        case Process() as process:
            target = folder / process_folder(process, system)
            if not (target / "simulation.json").exists():
                write_cards(target, **dict(process.settings))  # type: ignore[arg-type]  # the settings of this process
        case Files(uri=uri, sha256=pin) as files if files.remote:
            fetch(uri, into=folder / fetched_folder(source, system), sha256=pin)


def scored(frame: pl.DataFrame, score: np.ndarray) -> dict[str, float]:
    """Return the handbook's three metrics of rows with `is_fraud`, and `card_id` and `ts` where they are there."""
    label = frame["is_fraud"].cast(pl.Float64).to_numpy()
    if "card_id" not in frame.columns:
        rows, names = Scored(label, score), ["average_precision", "roc_auc"]
    else:
        day = frame["ts"].to_physical().to_numpy() // _DAY
        rows = Scored(label, score, entity=frame["card_id"].to_numpy(), day=day)
        names = ["average_precision", "roc_auc", "card_precision@100"]
    return {one.name: one.value for one in evaluate(names, rows)}
