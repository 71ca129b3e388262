"""The commands on a whole small system: real scripts, a real store, a real service."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlsd_framework.cli.main import main
from mlsd_framework.runtime.operations import client
from mlsd_framework.runtime.workspace import Workspace
from tests.plan.small_project import SPEC, payments

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("small-system")]


class Commands:
    """Runs commands in the folder of the small system."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Take the folder."""
        self.root = root
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Run a command and return its exit status and what it printed on both streams."""
        self._capsys.readouterr()
        status = main(words)
        printed = self._capsys.readouterr()
        return status, printed.out, printed.err

    def json(self, *words: str) -> Any:
        """Run a command that succeeds and return the JSON it printed."""
        status, output, errors = self(*words, "--json")
        assert status == 0, errors
        return json.loads(output)

    def edit(self, old: str, new: str) -> None:
        """Replace a piece of the spec."""
        path = self.root / "small.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Commands]:
    """Return the commands in a new project; what they start is stopped."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "payments.csv").write_text(payments(200))
    (tmp_path / "small.yaml").write_text(SPEC)
    yield Commands(tmp_path, capsys)
    client.stop(Workspace(tmp_path / ".mlsd" / "small"))


def check_batch(commands: Commands) -> None:
    """A file of requests gets the answers that the service gives, and one with a bad row none at all."""
    kept = json.loads((commands.root / ".mlsd/small/evaluation/requests.json").read_text())
    endpoint, rows = next(iter(kept.items()))
    pl.DataFrame([one["request"] for one in rows]).write_parquet(commands.root / "asked.parquet")
    said = commands.json("predict", "small", "--batch", "asked.parquet", "--endpoint", endpoint)
    assert (said["requests"], said["rows"], said["out"]) == (
        len(rows), len(rows), str(commands.root / "asked.answers.parquet"),
    )  # fmt: skip
    (commands.root / "one.json").write_text(json.dumps(rows[0]["request"]))
    answer = commands.json("predict", "small", "--file", "one.json")
    found = pl.read_parquet(said["out"]).to_dicts()[0]
    assert {name: found[name] for name in ("action", "score", "risk")} == {
        name: answer[name] for name in ("action", "score", "risk")
    }
    pl.DataFrame({"amount": [-1.0]}).write_parquet(commands.root / "wrong.parquet")
    status, _, errors = commands("predict", "small", "--batch", "wrong.parquet", "--out", "none.parquet")
    assert (status, "E6436" in errors, "row 0" in errors) == (1, True, True)
    assert not (commands.root / "none.parquet").exists()


def test_a_system_from_nothing_to_a_rollback(commands: Commands) -> None:
    """One command deploys; the next ones find it, change it, bring the former version back, and end it."""
    first = commands.json("deploy", "small.yaml")
    assert first["state"] == "ready"
    status, output, _ = commands("deploy", "small.yaml")
    assert (status, "unchanged" in output, "curl" in output, "mlsd stop" in output) == (0, True, True, True)
    assert commands.json("plan", "small")["actions"] == []

    answer = commands.json("predict", "small")
    assert (answer["version"], answer["degraded"]) == (first["version"], [])
    (commands.root / "wrong.json").write_text('{"amount": -1}')
    status, output, _ = commands("predict", "small", "--file", "wrong.json")
    assert (status, "amount" in output, "card_id" in output) == (1, True, True)

    check_batch(commands)

    commands.edit("false_positive: 5", "false_positive: 50")
    status, output, _ = commands("plan", "small.yaml", "--out", "plan.json")
    assert (status, "re-threshold" in output) == (0, True)
    second = commands.json("deploy", "--plan", "plan.json")
    assert second["version"] != first["version"]
    assert [one["stage"] for one in second["actions"]] == ["build", "evaluate", "serve"]
    assert commands("deploy", "--plan", "plan.json")[0] == 1

    assert commands.json("rollback", "small")["version"] == first["version"]
    assert commands.json("predict", "small")["version"] == first["version"]
    told = commands.json("status", "small")
    assert (told["version"], told["newest_version"]) == (first["version"], second["version"])
    assert commands.json("promote", "small", second["version"])["version"] == second["version"]
    assert set(told["metrics"]) == {"fraud", "second"}

    commands.edit("note: string?", "note: string")
    status, _, errors = commands("deploy", "small.yaml")
    assert (status, "E5010" in errors) == (1, True)
    assert commands("stop", "small.yaml")[1] == "small: stopped\n"
    assert commands("stop", "small.yaml")[1] == "small: nothing was running\n"
    assert commands("predict", "small.yaml")[0] == 1


def test_build_writes_once_and_checks(commands: Commands) -> None:
    """A second build writes nothing, a stale file is named, and files of others are left alone."""
    status, output, _ = commands("build", "small.yaml")
    assert (status, "0 unchanged" in output) == (0, True)
    assert commands("build", "small.yaml", "--check")[0] == 0
    assert "0 written" in commands("build", "--all")[1]
    mine = commands.root / "generated" / "small" / "notes.txt"
    mine.write_text("mine")
    script = commands.root / "generated" / "small" / "training" / "fraud.py"
    script.write_text("edited")
    status, output, _ = commands("build", "small.yaml", "--check")
    assert (status, output) == (1, "stale: generated/small/training/fraud.py\n")
    found = commands.json("build", "small.yaml")[0]
    assert (found["written"], found["foreign"]) == (["training/fraud.py"], ["notes.txt"])
    assert mine.read_text() == "mine"


def test_data_check_counts_faults_and_shows_rows(commands: Commands) -> None:
    """Rows that break the schema are counted and shown, and the exit status says that they stop a training."""
    assert commands("data", "check", "small.yaml")[:2] == (0, "payments: 200 rows, no faults\n")
    data = commands.root / "data" / "payments.csv"
    data.write_text(data.read_text().replace(",37,", ",-37,", 1))
    status, output, _ = commands("data", "check", "small.yaml")
    assert (status, "ranges" in output, "2: -37" in output) == (1, True, True)
    found = commands.json("data", "check", "small.yaml", "--set", "sources.payments.checks.ranges=warn")
    assert found[0]["faults"][0]["count"] == 1


def test_data_fetch_takes_an_address(commands: Commands) -> None:
    """A single address is fetched into a folder, with its hash and licence shown."""
    status, output, _ = commands("data", "fetch", "--uri", "data/payments.csv")
    assert (status, "sha256" in output, "licence" in output) == (0, True, True)
    assert commands("data", "fetch")[0] == 2


def test_a_stage_at_fault_shows_its_own_diagnostics(commands: Commands) -> None:
    """A fault in the data is told as such, not as a traceback, with the log of the stage."""
    data = commands.root / "data" / "payments.csv"
    data.write_text(data.read_text().replace(",37,", ",-37,", 1))
    status, _, errors = commands("train", "small.yaml")
    assert (status, "E6122" in errors, "dataset.log" in errors, "Traceback" in errors) == (1, True, True, False)
    assert "E6122" in commands("logs", "small", "--part", "dataset")[1]


def test_commands_on_nothing_say_what_to_do(commands: Commands) -> None:
    """Before anything was trained or deployed, commands that need it say so and how to get there."""
    for words in (
        ("report", "small.yaml"),
        ("logs", "small.yaml"),
        ("predict", "small.yaml"),
        ("rollback", "small.yaml"),
    ):
        assert commands(*words)[0] == 1, words
    assert commands("status", "small.yaml")[:2] == (0, "small: stopped\n")
    assert commands("stop", "small.yaml")[0] == 0


def test_a_spec_with_faults_can_still_be_stopped(commands: Commands) -> None:
    """Whoever broke the spec can end the service, see its state and read its logs."""
    commands.edit("kind: events", "kind: event")
    assert commands("plan", "small.yaml")[0] == 1
    assert commands("stop", "small.yaml")[0] == 0
    assert commands("status", "small.yaml")[0] == 0


def test_commands_work_below_the_project(commands: Commands) -> None:
    """From a folder of the project the same files are meant, and pointers in generated code stay the same."""
    assert commands("build", "small.yaml")[0] == 0
    os.chdir("data")
    assert commands("build", "../small.yaml", "--check")[0] == 0
