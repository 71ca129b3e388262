"""The small project, with nothing done and with everything done."""

from pathlib import Path

import pytest

from tests.plan.small_project import Small, payments


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """Return the project with its data and spec written and nothing done."""
    made = Small(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "payments.csv").write_text(payments())
    made.write()
    return made


@pytest.fixture
def settled(small: Small) -> Small:
    """Return the project with everything done."""
    small.settle()
    return small
