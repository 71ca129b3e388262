"""The generated lines of each stage, taken out of a service and of an evaluation so that tests can run them."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

from mlsd_framework.runtime.retrieval.candidates import Candidates


@dataclass(frozen=True)
class Lines:
    """What a stage runs, by the stage's name, and the constants and imports that it finds in its module."""

    module: Mapping[str, Any]
    stages: Mapping[str, CodeType]

    def run(self, stage: str, candidates: Candidates, values: Mapping[str, Any]) -> Candidates:
        """Return what a stage makes of candidates, where these are the values that it may use."""
        known = {**self.module, **values, "candidates": candidates}
        exec(self.stages[stage], known)  # noqa: S102 - code that the test has generated
        found = known["candidates"]
        assert isinstance(found, Candidates)
        return found


def service_lines(text: str, endpoint: str) -> Lines:
    """Return the stages of an endpoint's class: what stands in each `with call.stage(…):`."""
    tree = ast.parse(text)
    [made] = [one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == endpoint]
    [call] = [one for one in made.body if isinstance(one, ast.FunctionDef) and one.name == "__call__"]
    module = _module(one for one in tree.body if _is_constant(one))
    found = {}
    for one in call.body:
        if isinstance(one, ast.With) and isinstance(one.items[0].context_expr, ast.Call):
            [stage] = one.items[0].context_expr.args
            found[module[ast.unparse(stage)].name] = _compiled(one.body)
    return Lines(module, found)


def evaluation_lines(text: str) -> Lines:
    """Return the stages of `training/evaluate.py`: what stands before each `stages["…"] = candidates`."""
    tree = ast.parse(text)
    [main] = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "main"]
    module = _module(one for one in tree.body if _is_constant(one))
    found: dict[str, CodeType] = {}
    lines: list[ast.stmt] = []
    for one in main.body:
        if not isinstance(one, ast.Assign):
            continue
        target = ast.unparse(one.targets[0])
        if target.startswith("stages["):
            found[ast.literal_eval(target.removeprefix("stages[").removesuffix("]"))] = _compiled(lines)
            lines = []
        elif target == "stages" or "workspace" in ast.unparse(one.value):  # what is loaded before the pipeline
            lines = []
        else:
            lines.append(one)
    return Lines(module, found)


def _is_constant(one: ast.stmt) -> bool:
    """Say whether a statement of a module is an import or a constant that stages use: nothing of training is."""
    if isinstance(one, ast.ImportFrom):
        return not str(one.module).startswith(("features", "mlsd_framework.runtime.training"))
    if isinstance(one, ast.Import):
        return True
    if isinstance(one, ast.Assign) and isinstance(one.value, ast.Call):
        return ast.unparse(one.value.func) in ("Stage", "Slots")
    return False


def _module(body: Iterator[ast.stmt]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    exec(_compiled(list(body)), known)  # noqa: S102 - code that the test has generated
    return known


def _compiled(body: list[ast.stmt]) -> CodeType:
    return compile(ast.Module(body, []), "<generated>", "exec")
