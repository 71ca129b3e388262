"""Runs go to MLflow's database and can be read with MLflow's client."""

from pathlib import Path

from mlflow import MlflowClient

from mlsd_framework.runtime.training.tracking import Run, record


def test_a_run_is_recorded_and_read_back(tmp_path: Path) -> None:
    """Parameters, metrics (unknown ones left out), paths; a second run joins the same experiment."""
    database = tmp_path / "runs.db"
    run = Run(
        "fraud",
        parameters={"depth": 6},
        metrics={"test/card_precision@100": 0.25, "test/f1": float("nan")},
        artefacts={"report": tmp_path / "report.html"},
        tags={"version": "abc"},
    )
    first, second = record(database, "card-fraud", run), record(database, "card-fraud", run)
    client = MlflowClient(tracking_uri=f"sqlite:///{database}")
    experiment = client.get_experiment_by_name("card-fraud")
    assert experiment is not None
    assert {found.info.run_id for found in client.search_runs([experiment.experiment_id])} == {first, second}
    held = client.get_run(first)
    assert held.data.params == {"depth": "6"}
    assert held.data.metrics == {"test/card_precision_100": 0.25}
    assert held.data.tags["artefact.report"] == str(tmp_path / "report.html")
    assert held.info.status == "FINISHED"
