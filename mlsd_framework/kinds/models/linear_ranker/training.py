"""The training script of a linear ranker."""

from dataclasses import dataclass

from mlsd_framework.codegen.python import Imports, Item, emit, literal
from mlsd_framework.codegen.service_code import pointer, printable
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.system import System

TRAINING = "mlsd_framework.runtime.training"


@dataclass(frozen=True, slots=True)
class Script:
    """The context of `training/linear_ranker.py.j2`."""

    model: str
    system: str
    spec: str
    imports: str
    features: str
    model_place: str
    parameters: str
    label: str


def script(model: Model, system: System) -> str:
    """Return the text of `training/<model>.py`."""
    imports = Imports()
    imports.add("sys")
    imports.add("pathlib", "Path")
    imports.add("numpy as np")
    imports.add("polars as pl")
    imports.add(TRAINING, "artefacts", "splits")
    imports.add(f"{TRAINING}.candidate_examples", "PART", "REQUEST")
    imports.add("mlsd_framework.runtime.rankers.linear", "LinearRanker", "ndcg", "offsets_of_requests")
    imports.add("mlsd_framework.runtime.workspace", "Workspace", "project")
    features: list[Item] = [ref.dotted for ref in model.features]
    parameters: list[tuple[str, Item]] = [
        (name, list(value) if isinstance(value, tuple) else value) for name, value in model.settings
    ]
    context = Script(
        model=model.name,
        system=system.name,
        spec=printable(system.path),
        imports="\n".join(imports.lines()),
        features=f"FEATURES = {emit(features, 0, 11)}",
        model_place=pointer(model.span),
        parameters="\n".join(_declared(name, value) for name, value in parameters),
        label=literal(model.label or ""),
    )
    return render("training/linear_ranker.py.j2", context)


def _declared(name: str, value: Item) -> str:
    typed = ": list[str]" if value == [] else ""
    return f"{name.upper()}{typed} = {emit(value, 0, len(name) + 3)}"
