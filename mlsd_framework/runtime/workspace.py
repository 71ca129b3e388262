"""Where a system keeps its state on this machine; every runtime part and the plan use these paths."""

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT = "MLSD_PROJECT"


def project(script: str) -> Path:
    """Return the project's folder for a generated script: `MLSD_PROJECT`, or where `generated/` stands."""
    named = os.environ.get(PROJECT)
    return Path(named) if named else Path(script).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder `.mlsd/<system>/` of a project, and the name of everything in it.

    data/            fetched or simulated source files, one folder a source
    checked/         one Parquet file a source that is larger than memory: its rows as they were last read and checked
    features/        one Parquet file a feature group, as last materialised
    dataset.parquet  the training set: one row an example
    catalogues/      one file an entity: the items that can be recommended, in the order that the models share
    indexes/<name>/  the newest index: its files, index.json
    pretrained/<model>/  the files of a published model, and what it has embedded
    retrieved/       what was asked and retrieved at the moment of the test, for the evaluation
    models/<model>/  the newest trained model: its files, model.json, predictions.parquet with each row's part, card.md
    evaluation/      of the newest evaluation: report.html, the entry to <model>.report.html; <model>.metrics.json;
                     <pipeline>.pipeline.report.html, .metrics.json and .card.md; thresholds.json; requests.json
    proof.json       what the newest `mlsd verify` found; proof.html, the same for people
    versions/<id>/   bundles: models, thresholds, features and spec as one set
    items/<id>/      what has changed of a version's items while it served
    current          the id of the version that serves
    run/             sockets, process ids and the supervisor's state
    logs/            what processes print
    runs.db          MLflow's runs
    state.json       fingerprints of what is done, for the plan
    """

    root: Path

    @property
    def data(self) -> Path:
        """Folder of source files."""
        return self.root / "data"

    @property
    def checked(self) -> Path:
        """Folder of the checked rows of sources that are larger than memory."""
        return self.root / "checked"

    @property
    def features(self) -> Path:
        """Folder of materialised feature groups."""
        return self.root / "features"

    @property
    def dataset(self) -> Path:
        """Parquet file of the training set."""
        return self.root / "dataset.parquet"

    def catalogue(self, entity: str) -> Path:
        """Return the file of an entity's items, in the order that the models share."""
        return self.root / "catalogues" / f"{entity}.safetensors"

    def item_table(self, entity: str) -> Path:
        """Return the file of what conditions of a retrieval read of an entity's items."""
        return self.root / "catalogues" / f"{entity}.table.safetensors"

    def index(self, name: str) -> Path:
        """Return the folder of an index."""
        return self.root / "indexes" / name

    def pretrained(self, model: str) -> Path:
        """Return the folder of a published model's files and of what it has embedded."""
        return self.root / "pretrained" / model

    @property
    def retrieved(self) -> Path:
        """Folder of what was asked and retrieved at the moment of the test."""
        return self.root / "retrieved"

    def model(self, name: str) -> Path:
        """Return the folder of the newest trained model `name`."""
        return self.root / "models" / name

    @property
    def evaluation(self) -> Path:
        """Folder of the newest evaluation."""
        return self.root / "evaluation"

    @property
    def proof(self) -> Path:
        """File of what the newest proof found."""
        return self.root / "proof.json"

    @property
    def proof_report(self) -> Path:
        """The same as a page."""
        return self.root / "proof.html"

    @property
    def versions(self) -> Path:
        """Folder of bundles."""
        return self.root / "versions"

    @property
    def items(self) -> Path:
        """Folder of what has changed of the items of versions, a folder a version."""
        return self.root / "items"

    @property
    def current(self) -> Path:
        """File that names the version that serves."""
        return self.root / "current"

    @property
    def run(self) -> Path:
        """Folder of sockets and process ids."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """Folder of logs."""
        return self.root / "logs"

    @property
    def runs(self) -> Path:
        """SQLite file of MLflow's runs."""
        return self.root / "runs.db"

    @property
    def state(self) -> Path:
        """File of the fingerprints of what is done."""
        return self.root / "state.json"
