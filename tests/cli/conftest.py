"""Running the command line as a user does, and a project to run it in."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def mlsd(tmp_path: Path) -> Run:
    """Return a function that runs `mlsd` with arguments in an empty project."""

    def run(*arguments: str, cwd: Path = tmp_path, **environment: str) -> "subprocess.CompletedProcess[str]":
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **environment}
        command = [sys.executable, "-m", "mlsd_framework.cli.main", *arguments]
        return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=120, check=False)

    return run
