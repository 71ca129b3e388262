"""Deployments of the test worker, each in a workspace of its own and ended after its test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlsd_framework.runtime.operations import client
from mlsd_framework.runtime.workspace import Workspace
from tests.runtime.operations.supervised_system import System, eventually


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """Return a system; whatever it started is ended after the test."""
    found = System(Workspace(tmp_path / "p"))
    found.place.root.mkdir()
    yield found
    client.stop(found.place)
    eventually(lambda: not found.living())
