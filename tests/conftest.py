"""What all tests share: golden files, and the flag that rewrites them."""

from collections.abc import Callable
from pathlib import Path

import pytest

Golden = Callable[[str, Path], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--snapshot-update`."""
    parser.addoption("--snapshot-update", action="store_true", help="rewrite golden files; read the diff")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Return a check that a text is what a file holds; with `--snapshot-update` it writes the file instead."""
    update = bool(request.config.getoption("--snapshot-update"))

    def check(text: str, path: Path) -> None:
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} does not exist; `pytest --snapshot-update` writes it"
        assert text == path.read_text(encoding="utf-8")

    return check
