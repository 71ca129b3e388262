"""Compiled cases: small specs that together use everything that generated code is made of."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import httpx
import pytest

from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.runtime.operations import client as operations
from mlsd_framework.targets import artefacts
from tests.targets.made_shop import Shop, written

ROOT = Path(__file__).parents[2]
CASES = sorted(path.stem for path in (ROOT / "tests" / "targets" / "cases").glob("*.yaml"))
Built = Callable[[str], dict[str, str]]


@cache
def _build(case: str) -> dict[str, str]:
    compiled = compile_spec(Path("tests") / "targets" / "cases" / f"{case}.yaml")
    return {one.path: one.text for one in artefacts(compiled.system, compiled.registry)}


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Built:
    """Return what builds a case: path to text; the spec is named from the root of the checkout."""
    monkeypatch.chdir(ROOT)
    return _build


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The made shop, deployed; the tests that use it run in one process."""
    made = written(tmp_path_factory.mktemp("shop"))
    try:
        print(made.told("deploy", "specs/shop.yaml", "--yes"))
        yield made
    finally:
        operations.stop(made.place)


@pytest.fixture
def ask(shop: Shop) -> Iterator[httpx.Client]:
    """A client whose requests all go to one worker."""
    with httpx.Client(base_url=f"http://127.0.0.1:{shop.status.port}", timeout=20) as made:
        yield made
