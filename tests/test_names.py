"""Names of modules, and what each says of itself."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = sorted([*(ROOT / "mlsd_framework").rglob("*.py"), *ROOT.glob("plugins/*/mlsd_*/**/*.py")])
EMPTY_WORDS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "constants"}


def test_no_module_has_a_name_without_a_meaning() -> None:
    """No module or package is called utils, helpers, common or misc."""
    named = [path for path in SOURCE if EMPTY_WORDS & set(path.relative_to(ROOT).with_suffix("").parts)]
    assert named == []


def test_every_module_says_what_it_is() -> None:
    """Every module has a docstring."""
    silent = [str(path.relative_to(ROOT)) for path in SOURCE if not ast.get_docstring(ast.parse(path.read_bytes()))]
    assert silent == []


def test_no_class_is_a_manager() -> None:
    """No class is called a manager, a helper or a utility."""
    classes = (
        (path, node.name)
        for path in SOURCE
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ClassDef)
    )
    assert [f"{path.name}: {name}" for path, name in classes if name.endswith(("Manager", "Helper", "Utils"))] == []
