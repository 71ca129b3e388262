"""The flag that rewrites expected texts."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--snapshot-update`, where the project's own tests have not done so."""
    try:
        parser.addoption("--snapshot-update", action="store_true", help="rewrite golden files; read the diff")
    except ValueError:  # one run over both trees of tests
        return
