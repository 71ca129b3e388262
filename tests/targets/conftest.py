"""Compiled cases: small specs that together use everything that generated code is made of."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.targets import artefacts

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
