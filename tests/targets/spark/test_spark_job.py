"""The generated Spark job computes what the generated scripts compute on one machine."""

import os
import shutil
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.targets.generated_system import GeneratedSystem, written

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("spark")]
LOCAL = {
    "SPARK_LOCAL_IP": "127.0.0.1",
    "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false pyspark-shell",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> GeneratedSystem:
    """A tiny system with a Spark job, its features and its training set as one machine makes them."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, and there is none on this machine")
    system = written(tmp_path_factory.mktemp("project"), offline="spark")
    for script in ("features", "dataset"):
        system.run(f"training/{script}.py")
    return system


@pytest.fixture(autouse=True)
def on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run Spark here, with two cores."""
    for name, value in LOCAL.items():
        monkeypatch.setenv(name, value)


def read(folder: Path, by: str) -> pl.DataFrame:
    """What a job wrote, in the order of a column."""
    return pl.read_parquet(folder / "*.parquet").sort(by)


def test_training_columns_are_those_of_one_machine(made: GeneratedSystem, tmp_path: Path) -> None:
    """Every row and every column of the training set, to the bit."""
    said = made.run("spark/batch.py", "training", "--out", str(tmp_path))
    assert "training is written" in said
    expected = pl.read_parquet(made.workspace.dataset).sort("payment_id")
    assert_frame_equal(read(tmp_path / "training", "payment_id"), expected, check_exact=True)


def test_groups_are_those_of_one_machine(made: GeneratedSystem) -> None:
    """Every group's rows as of the end of the log, where the system's state is."""
    made.run("spark/batch.py", "groups")
    for group in made.system.stored:
        (key,) = group.key
        expected = pl.read_parquet(made.workspace.features / f"{group.name}.parquet").sort(key)
        assert_frame_equal(read(made.workspace.root / "spark" / group.name, key), expected, check_exact=True)
