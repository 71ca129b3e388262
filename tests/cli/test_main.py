"""The entry point: help, unknown commands, exit statuses, and what is not imported."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlsd_framework.cli import main as entry

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
HEAVY = ("feast", "torch", "pandas", "catboost", "bentoml", "polars", "numba", "sklearn", "numpy", "mlflow", "plotly")


def test_help_names_every_command(mlsd: Run) -> None:
    """`mlsd --help` lists each command with a line, exit status 0."""
    done = mlsd("--help")
    assert done.returncode == 0
    for name in (name for group in entry.COMMANDS.values() for name in group):
        assert f"  {name} " in done.stdout


def test_without_a_command_it_is_usage(mlsd: Run) -> None:
    """`mlsd` alone prints the help, exit status 2."""
    assert mlsd().returncode == 2


def test_a_mistyped_command_gets_a_suggestion(mlsd: Run) -> None:
    """`mlsd validte` is usage, and names the nearest command."""
    done = mlsd("validte", "x.yaml")
    assert done.returncode == 2
    assert "did you mean `validate`?" in done.stderr


def test_every_command_has_a_module() -> None:
    """Each name in the table has a module with `configure` and `run`."""
    for name in (name for group in entry.COMMANDS.values() for name in group):
        assert (ROOT / "mlsd_framework" / "cli" / f"{name}.py").is_file(), name


@pytest.mark.parametrize(
    "command", [["--help"], ["validate", "specs/fraud.yaml"], ["show", "card-fraud"], ["schema"], ["explain", "E2001"]]
)
def test_nothing_heavy_is_imported(command: list[str]) -> None:
    """The commands of the compiler import no library that trains, serves or reads data."""
    code = (
        "import sys\nfrom mlsd_framework.cli.main import main\n"
        f"status = main({command!r})\n"
        f"print('loaded', sorted(set({HEAVY!r}) & set(sys.modules)), status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "loaded [] 0"


def test_a_bug_is_shown_as_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception that nobody expected is printed with its traceback and called a bug, exit status 1."""

    def broken(_: object) -> int:
        message = "unexpected"
        raise LookupError(message)

    monkeypatch.setattr("mlsd_framework.cli.plugins.run", broken)
    assert entry.main(["plugins"]) == 1
    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert "bug in mlsd" in printed


def test_a_reader_that_goes_away_is_no_fault() -> None:
    """`mlsd schema | head -1` prints no traceback."""
    command = f"{sys.executable} -m mlsd_framework.cli.main schema | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
