"""What the package lets others import."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PUBLIC = {
    "mlsd_framework": {"__version__"},
    "mlsd_framework.plugin": {"ModelKind", "Plugin", "RetrieverKind", "StageKind"},
}


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_the_public_names_are_those_promised(module: str) -> None:
    """A name that others import neither comes nor goes by accident."""
    found = importlib.import_module(module)
    assert PUBLIC[module] <= set(vars(found))
    assert set(getattr(found, "__all__", PUBLIC[module])) == PUBLIC[module]


def test_everything_that_is_promised_exists() -> None:
    """Every name of every `__all__` can be imported."""
    packages = sorted((ROOT / "mlsd_framework").rglob("__init__.py"))
    for path in packages:
        name = ".".join(path.parent.relative_to(ROOT).parts)
        module = importlib.import_module(name)
        assert all(hasattr(module, one) for one in getattr(module, "__all__", ())), name


def test_a_plugin_author_loads_nothing_heavy() -> None:
    """Importing the extension points brings in no data frame, model or server."""
    heavy = "{'polars', 'pandas', 'numpy', 'catboost', 'sklearn', 'torch', 'feast', 'bentoml', 'numba'}"
    code = f"import sys, mlsd_framework.plugin; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
