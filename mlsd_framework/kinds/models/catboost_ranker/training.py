"""The training script of a CatBoost ranker."""

from dataclasses import dataclass

from mlsd_framework.codegen.python import Imports, Item, emit, literal
from mlsd_framework.codegen.service_code import pointer, printable
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.models.catboost_classifier import inputs

TRAINING = "mlsd_framework.runtime.training"
_ONE_HOT = 255
_NAMES = {"early_stopping": "early_stopping_rounds", "loss": "loss_function"}


@dataclass(frozen=True, slots=True)
class Script:
    """The context of `training/catboost_ranker.py.j2`."""

    model: str
    system: str
    spec: str
    imports: str
    numbers: str
    categories: str
    model_place: str
    parameters: str
    label: str


def script(model: Model, system: System) -> str:
    """Return the text of `training/<model>.py`."""
    imports = Imports()
    imports.add("sys")
    imports.add("pathlib", "Path")
    imports.add("polars as pl")
    imports.add("catboost", "CatBoost", "Pool")
    imports.add(TRAINING, "artefacts", "catboost_file", "splits", "trees")
    imports.add(f"{TRAINING}.candidate_examples", "PART", "REQUEST")
    imports.add("mlsd_framework.runtime.workspace", "Workspace", "project")
    numbers: list[Item] = [ref.dotted for ref in inputs.numbers(model)]
    categories: list[Item] = [ref.dotted for ref in inputs.categories(model)]
    context = Script(
        model=model.name,
        system=system.name,
        spec=printable(system.path),
        imports="\n".join(imports.lines()),
        numbers=f"NUMBERS = {emit(numbers, 0, 10)}" if numbers else "NUMBERS: list[str] = []",
        categories=f"CATEGORIES = {emit(categories, 0, 13)}" if categories else "CATEGORIES: list[str] = []",
        model_place=pointer(model.span),
        parameters=_parameters(model, bool(categories)),
        label=literal(model.label or ""),
    )
    return render("training/catboost_ranker.py.j2", context)


def _parameters(model: Model, categories: bool) -> str:  # noqa: FBT001 - one fact about the features
    kept: list[tuple[str, Item]] = []
    for name, value in model.settings:
        if value is not None and name != "top" and not isinstance(value, tuple):
            kept.append((_NAMES.get(name, name), value))
    kept.append(("eval_metric", f"NDCG:top={model.setting('top')}"))
    if model.setting("loss") == "Logloss":  # a metric of groups is nothing that each candidate by itself has
        kept[-1] = ("eval_metric", "AUC")
    if categories:
        kept.append(("one_hot_max_size", _ONE_HOT))
    # A seed and a fixed number of threads: the same data gives the same file.
    kept += [("random_seed", model.seed), ("thread_count", 2), ("allow_writing_files", False), ("verbose", 0)]
    rows = "".join(f"    {literal(key)}: {emit(value)},\n" for key, value in kept)
    return f"PARAMETERS = {{\n{rows}}}"
