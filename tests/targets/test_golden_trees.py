"""Golden trees of generated code, a folder a target and a case; `pytest --snapshot-update` rewrites them."""

from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CASES = sorted(path.stem for path in (HERE / "cases").glob("*.yaml"))
FOLDERS = {"training": "training", "bentoml": "service", "feast": "feature_repo", "spark": "spark"}


@pytest.mark.parametrize("target", FOLDERS)
@pytest.mark.parametrize("case", CASES)
def test_the_tree_is_the_golden_one(
    case: str,
    target: str,
    built: Callable[[str], dict[str, str]],
    golden: Callable[[str, Path], None],
    pytestconfig: pytest.Config,
) -> None:
    """Every file of a target is what its golden file holds, and there is no golden file besides."""
    below = f"{FOLDERS[target]}/"
    made = {path.removeprefix(below): text for path, text in built(case).items() if path.startswith(below)}
    folder = HERE / target / "golden" / case
    for path, text in made.items():
        golden(text, folder / path)
    others = [path for path in folder.rglob("*") if path.is_file() and str(path.relative_to(folder)) not in made]
    for path in others if pytestconfig.getoption("--snapshot-update") else ():
        path.unlink()
    assert [path for path in others if path.exists()] == []
