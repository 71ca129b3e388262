"""Recording a training run with MLflow's client in a SQLite file; no server, nothing copied, nothing sent."""

import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

_BATCH = 1000  # metrics that MLflow takes at once


@dataclass(frozen=True, slots=True)
class Run:
    """What is recorded of one training run; `artefacts` are paths of files, which stay where they are."""

    name: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    artefacts: Mapping[str, Path] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def record(database: Path, experiment: str, run: Run) -> str:
    """Add `run` to the MLflow experiment in `database`, creating either, and return MLflow's id of it.

    Metrics that are not known (NaN) are left out. Artefacts become tags `artefact.<name>` with the path and the size.
    """
    client = _client(database)
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415 - heavy; after the client has set MLflow up

    found = client.get_experiment_by_name(experiment)
    folder = database.parent.resolve().as_uri()
    number = found.experiment_id if found else client.create_experiment(experiment, artifact_location=folder)
    started = client.create_run(number, run_name=run.name)
    at = started.info.start_time
    artefacts = {f"artefact.{name}": str(path) for name, path in run.artefacts.items()}
    metrics = [Metric(_key(name), value, at, 0) for name, value in run.metrics.items() if not math.isnan(value)]
    for begin in range(0, len(metrics), _BATCH):
        client.log_batch(started.info.run_id, metrics=metrics[begin : begin + _BATCH])
    client.log_batch(
        started.info.run_id,
        params=[Param(_key(name), str(value)[:6000]) for name, value in run.parameters.items()],
        tags=[RunTag(_key(name), value) for name, value in {**run.tags, **artefacts}.items()],
    )
    client.set_terminated(started.info.run_id)
    return str(started.info.run_id)


def _client(database: Path) -> "MlflowClient":
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    from mlflow import MlflowClient  # noqa: PLC0415 - heavy

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    database.parent.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=f"sqlite:///{database}")


def _key(name: str) -> str:
    """Return `name` with what MLflow does not take in keys replaced: `card_precision@100` is `card_precision_100`."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "_" for letter in name)[:250]
