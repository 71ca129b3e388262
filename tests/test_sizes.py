"""The sizes of files, functions and classes, as CONTRIBUTING.md states them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = sorted([*(ROOT / "mlsd_framework").rglob("*.py"), *ROOT.glob("plugins/*/mlsd_*/**/*.py")])
TESTS = sorted(
    path
    for path in [*(ROOT / "tests").rglob("*.py"), *ROOT.glob("plugins/*/tests/**/*.py")]
    if "golden" not in path.parts
)
MAX_FILE, MAX_TEST_FILE, MAX_FUNCTION, MAX_CLASS, MAX_METHODS = 500, 600, 60, 300, 20


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _nodes(kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> Iterator[tuple[str, ast.AST]]:
    for path in SOURCE:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, kind):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} {getattr(node, 'name', '')}", node


def _length(node: ast.AST) -> int:
    return int(getattr(node, "end_lineno", 0)) - int(getattr(node, "lineno", 0)) + 1


def test_no_file_is_too_long() -> None:
    """A module has at most 500 lines, a test file 600."""
    long = [f"{path.relative_to(ROOT)}: {_lines(path)}" for path in SOURCE if _lines(path) > MAX_FILE]
    long += [f"{path.relative_to(ROOT)}: {_lines(path)}" for path in TESTS if _lines(path) > MAX_TEST_FILE]
    assert long == []


def test_no_function_is_too_long() -> None:
    """A function has at most 60 lines, its docstring included."""
    found = _nodes((ast.FunctionDef, ast.AsyncFunctionDef))
    assert [f"{where}: {_length(node)}" for where, node in found if _length(node) > MAX_FUNCTION] == []


def test_no_class_is_too_large() -> None:
    """A class has at most 300 lines and 20 methods."""
    large = []
    for where, node in _nodes(ast.ClassDef):
        methods = [one for one in getattr(node, "body", ()) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
        if _length(node) > MAX_CLASS or len(methods) > MAX_METHODS:
            large.append(f"{where}: {_length(node)} lines, {len(methods)} methods")
    assert large == []
