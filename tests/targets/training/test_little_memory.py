"""Generated scripts with less memory than their logs need: the same files, to the bit, by way of the disk."""

import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlsd_framework.runtime.workspace import Workspace
from tests.targets.generated_system import command, written


@pytest.mark.process
def test_a_log_larger_than_memory_makes_the_same_files(tmp_path: Path) -> None:
    """Training set and stored groups are those of enough memory, and the checked rows are in the workspace."""
    made = written(tmp_path)
    found: list[dict[str, pl.DataFrame]] = []
    said: list[str] = []
    for memory in ("4000000000", "1000000"):
        told = [
            command([sys.executable, str(made.generated / "training" / script)], tmp_path, MLSD_MEMORY=memory)
            for script in ("features.py", "dataset.py")
        ]
        said.append("".join(told))
        files = [made.workspace.dataset, *sorted(made.workspace.features.iterdir())]
        found.append({path.name: pl.read_parquet(path) for path in files})
    assert list(found[0]) == list(found[1])
    for name, frame in found[0].items():
        assert frame.height
        assert_frame_equal(found[1][name], frame, check_exact=True)
    assert said[0] == said[1]
    assert sorted(path.name for path in Workspace(made.workspace.root).checked.iterdir()) == [
        "chargebacks.parquet",
        "payments.parquet",
    ]
