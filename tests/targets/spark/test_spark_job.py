"""The generated Spark job computes what the generated scripts compute on one machine."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlsd_framework.codegen.artefacts import write
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.targets import artefacts
from tests.runtime.stream.store_process import StoreProcess
from tests.targets.generated_system import ROOT, GeneratedSystem, command, written

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("spark")]
LOCAL = {
    "SPARK_LOCAL_IP": "127.0.0.1",
    "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false pyspark-shell",
}


@pytest.fixture(autouse=True, scope="module")
def java() -> None:
    """Skip where there is no Java."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, and there is none on this machine")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> GeneratedSystem:
    """A tiny system with a Spark job, its features and its training set as one machine makes them."""
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


def test_the_streaming_job_feeds_the_states_that_the_service_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events in a folder become states in the store, each once; a second run finds nothing to do."""
    compiled = compile_spec(ROOT / "tests" / "targets" / "cases" / "live.yaml")
    files = {one.path: one.text for one in artefacts(compiled.system, compiled.registry)}
    write(tmp_path / "generated" / "live", files)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "0.json").write_text("\n".join(json.dumps(event(number)) for number in range(60)))
    job = [sys.executable, str(tmp_path / "generated" / "live" / "spark" / "stream.py"), "payments", "json", "--once"]
    job += ["--option", f"path={tmp_path / 'in'}"]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, StoreProcess(Path(folder)) as store:
        monkeypatch.setenv("MLSD_STORE_URL", store.url)
        command(job, tmp_path)
        before = states(store)
        command(job, tmp_path)
        assert states(store) == before
    assert {name.split(b":")[4] for name in before} == {b"places", b"velocity"}
    assert len(before) == 5 + 15  # cards, and pairs of a card and a merchant


def event(number: int) -> dict[str, object]:
    """One payment of the system `live`."""
    moment = f"2024-05-01T00:{number:02}:00Z"
    return {
        "payment_id": number, "ts": moment, "written": moment, "card_id": f"c{number % 5}",
        "merchant_id": f"m{number % 3}", "amount": 100.0 * number, "country": "FI", "is_fraud": False,
    }  # fmt: skip


def states(store: StoreProcess) -> dict[bytes, object]:
    """Every state in the store, by its whole name."""
    names = store.ask(b"KEYS", b"live:*:live:*:*:*")
    assert isinstance(names, list)
    return {name: store.ask(b"GET", name) for name in names if isinstance(name, bytes)}
