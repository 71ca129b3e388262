"""The training script of an isolation forest."""

from dataclasses import dataclass

from mlsd_framework.codegen.python import Imports, Item, emit, literal
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.splits import split_columns, split_lines
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.models import Model, StratifiedSplit, TimeSplit
from mlsd_framework.ir.system import System


@dataclass(frozen=True, slots=True)
class Script:
    """The context of `training/isolation_forest.py.j2`."""

    model: str
    system: str
    spec: str
    imports: str
    features: str
    model_place: str
    split_place: str
    trees: str
    sample: str
    seed: str
    columns: str
    label: str
    split: list[str]


def script(model: Model, system: System) -> str:
    """Return the text of `training/<model>.py`."""
    imports = Imports()
    imports.add("sys")
    imports.add("pathlib", "Path")
    imports.add("polars as pl")
    imports.add("mlsd_framework.runtime.training", "artefacts", "isolation_forest", "splits")
    imports.add("mlsd_framework.runtime.workspace", "Workspace", "project")
    split = split_lines(model, system, imports)
    names: list[Item] = [ref.dotted for ref in model.features]
    label = _label(model, system)
    others = dict.fromkeys([*split_columns(model, system), *([label] if label else [])])
    columns = ", ".join(["*FEATURES", *map(literal, others)])
    context = Script(
        model=model.name,
        system=system.name,
        spec=pointer(model.span).removeprefix("# from ").rsplit(":", 1)[0],
        imports="\n".join(imports.lines()),
        features=f"FEATURES = {emit(names, 0, 11)}",
        model_place=pointer(model.span),
        split_place=pointer(model.span),
        trees=emit(int(str(model.setting("trees")))),
        sample=emit(int(str(model.setting("samples")))),
        seed=emit(model.seed),
        columns=f"[{columns}]",
        label=literal(label) if label else "",
        split=split,
    )
    return render("training/isolation_forest.py.j2", context)


def _label(model: Model, system: System) -> str | None:
    """Return the label where the split reads it; the forest does not."""
    reads = isinstance(model.split, StratifiedSplit) or (
        isinstance(model.split, TimeSplit) and model.split.exclude_known
    )
    return system.label.name if reads and system.label is not None else None
