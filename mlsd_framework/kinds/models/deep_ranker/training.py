"""The training script of a deep ranker."""

from dataclasses import dataclass

from mlsd_framework.codegen.python import Call, Imports, Item, Raw, assigned, emit, given, literal
from mlsd_framework.codegen.service_code import pointer, printable
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.models.deep_ranker.inputs import HISTORY, ITEM, inputs, reads_history

TRAINING = "mlsd_framework.runtime.training"
RANKERS = "mlsd_framework.runtime.rankers"
TABULAR = "mlsd_framework.runtime.tabular"


@dataclass(frozen=True, slots=True)
class Script:
    """The context of `training/deep_ranker.py.j2`."""

    model: str
    network: str
    system: str
    spec: str
    imports: str
    declarations: list[str]
    features: str
    data: list[str]
    history: list[str]
    label: str
    trainer: str
    batch: str


def script(model: Model, system: System) -> str:
    """Return the text of `training/<model>.py`."""
    imports = Imports()
    imports.add("shutil")
    imports.add("sys")
    imports.add("pathlib", "Path")
    imports.add("polars as pl")
    imports.add(f"{RANKERS}.batches", "Requests", "RequestsData")
    imports.add(f"{RANKERS}.export", "FILES", "export")
    imports.add(f"{RANKERS}.fields", "Shape")
    imports.add(f"{RANKERS}.module", "Ranker", "Settings")
    imports.add(f"{TABULAR}.checkpoints", "load_best", "newest", "place")
    imports.add(f"{TABULAR}.features", "Embedding", "Feature")
    imports.add(f"{TABULAR}.learning", "learn_one")
    imports.add(f"{TABULAR}.trainer", "lean_trainer")
    imports.add("mlsd_framework.runtime.digest", "file_sha256")
    imports.add(TRAINING, "artefacts", "splits")
    imports.add(f"{TRAINING}.candidate_examples", "PART", "REQUEST")
    imports.add("mlsd_framework.runtime.workspace", "Workspace", "project")
    declared = f"FEATURES: tuple[Feature, ...] = {emit(_features(model, imports), 0, 32)}"
    read: list[Item] = [Raw("*(one.name for one in FEATURES)"), Raw("REQUEST"), Raw("PART"), model.label or ""]
    features = "FEATURES"
    if reads_history(model):
        imports.add(f"{TABULAR}.features", "Category", "LastItems")
        last = (Call("Category", (ITEM, ITEM)), Call("LastItems", (HISTORY, ITEM, _whole(model, "history"))))
        declared += f"\nHISTORY = {emit(last, 0, 10)}"
        features = "(*FEATURES, *HISTORY)"
        read.append(_key(system))
    context = Script(
        model=model.name,
        network=str(model.setting("network")),
        system=system.name,
        spec=printable(system.path),
        imports="",
        declarations=[
            declared,
            f"EMBEDDINGS{'' if _vocabularies(model) else ': list[Embedding]'} = {emit(_embeddings(model), 0, 13)}",
            f"\n{pointer(model.span)}\nSETTINGS = {emit(_settings(model), 0, 11)}",
        ],
        history=_history(model, system, imports),
        features=features,
        data=assigned("data", Call("artefacts.read_dataset", (Raw("workspace.dataset"), read)), 1),
        label=literal(model.label or ""),
        trainer=f"epochs={model.setting('epochs')}, patience={model.setting('patience')}",
        batch=emit(_whole(model, "batch")),
    )
    return render("training/deep_ranker.py.j2", _Whole(context, "\n".join(imports.lines())))


@dataclass(frozen=True, slots=True)
class _Whole:
    """The context with its imports, which are known when all else is written."""

    file: Script
    imports: str


def _features(model: Model, imports: Imports) -> tuple[Item, ...]:
    """Return what is declared, in the order in which the service gives it."""
    found: list[Item] = []
    for ref in inputs(model):
        kind = "Category" if ref.type.text else "Number"
        imports.add(f"{TABULAR}.features", kind)
        found.append(Call(kind, (ref.dotted, ref.dotted) if ref.type.text else (ref.dotted,)))
    return tuple(found)


def _vocabularies(model: Model) -> list[str]:
    names = [ref.dotted for ref in inputs(model) if ref.type.text]
    return [*names, ITEM] if reads_history(model) else names


def _embeddings(model: Model) -> list[Item]:
    least = _whole(model, "least")
    named = given(minimum=least if least > 1 else None)
    return [Call("Embedding", (name, _whole(model, "embedding")), named) for name in _vocabularies(model)]


def _settings(model: Model) -> Call:
    layers, dropout = model.setting("layers"), model.setting("dropout")
    widths: Item = tuple(int(str(one)) for one in layers) if isinstance(layers, tuple) else ()
    shape = Call("Shape", (widths,), given(dropout=float(str(dropout)) or None))
    named: tuple[tuple[str, Item], ...] = (
        ("shape", shape),
        ("learning_rate", float(str(model.setting("learning_rate")))),
        ("top", _whole(model, "top")),
        ("seed", model.seed),
    )
    return Call("Settings", (str(model.setting("network")), str(model.setting("loss"))), named)


def _history(model: Model, system: System, imports: Imports) -> list[str]:
    """Return the lines that put the candidate and the user's last items beside the rows."""
    if not reads_history(model) or system.outcome is None:
        return []
    imports.add(TRAINING, "retrieved")
    imports.add("mlsd_framework.runtime.retrieval.catalogue", "Catalogue")
    catalogue = f"Catalogue.load(workspace.catalogue({literal(system.outcome.interactions.entity)}))"
    items = Raw(f"catalogue.codes(data[{literal(_key(system))}])")
    beside = Call("data.with_columns", (Call("pl.Series", (ITEM, items)),))
    joined = Call(
        "retrieved.with_histories",
        (Raw("data"), Raw("workspace.retrieved")),
        (("last", _whole(model, "history")), ("name", HISTORY)),
    )
    return [f"catalogue = {catalogue}", *assigned("data", beside, 1), *assigned("data", joined, 1)]


def _key(system: System) -> str:
    """Return the column of the training set that names the candidate."""
    return system.entity(system.outcome.interactions.entity).key[0] if system.outcome is not None else ""


def _whole(model: Model, name: str) -> int:
    return int(str(model.setting(name)))
