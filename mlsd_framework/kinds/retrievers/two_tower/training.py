"""The training script of two towers."""

from dataclasses import dataclass, replace

from mlsd_framework.codegen.interactions_code import fitted_on, log_of, tables_of, users_lines, window_groups
from mlsd_framework.codegen.python import Call, Imports, Item, Raw, assigned, emit, given, literal
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer, printable
from mlsd_framework.codegen.templates import render
from mlsd_framework.codegen.values_code import signature, values_beside
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.ir.system import System

TABULAR = "mlsd_framework.runtime.tabular"
TOWERS = "mlsd_framework.runtime.towers"
RETRIEVAL = "mlsd_framework.runtime.retrieval"
_ITEM = "item"
_HISTORY = "history"
AT = "at"
"""The column of moments as of which features of windows are computed."""


@dataclass(frozen=True, slots=True)
class Script:
    """The context of `training/two_tower.py.j2`."""

    model: str
    name: str
    spec: str
    place: str
    imports: str
    declarations: list[str]
    users: list[str]
    windows: list[str]
    train_def: str
    items: list[str]
    catalogue: str
    log: list[str]
    history: str
    newest: str
    beside: list[str]
    data: list[str]
    trainer: str
    fit_def: str
    fitted: str
    asking: list[str]
    trained: str
    parameters: str


def script(retriever: Retriever, system: System) -> str:
    """Return the text of `training/<model>.py`."""
    imports, names = Imports(), ScriptNames(system)
    _imported(imports)
    table = names.table(system.source(retriever.interactions.source))
    imports.add("features", table)
    declarations = [
        f"{pointer(retriever.span)}\nTOWERS = {emit(_towers(retriever, imports), 0, 9)}",
        f"SETTINGS = {emit(_settings(retriever), 0, 11)}",
    ]
    users = tables_of(retriever.user_features, retriever.interactions.user, "keys", system, names, imports)
    key = system.entity(retriever.interactions.entity).key[0]
    items = tables_of(retriever.item_features, key, "catalogue.keys", system, names, imports)
    frames = [names.frame(one) for one in fitted_on(retriever, system)]
    typed = [f"{frame}: pl.LazyFrame" for frame in frames]
    events = Raw(frames[0] if frames else f"load({table})")
    context = Script(
        model=retriever.name,
        name=literal(retriever.name),
        spec=printable(system.path),
        place=pointer(retriever.span),
        imports="",
        declarations=declarations,
        users=users_lines(users),
        windows=_windows(retriever, system, names, imports),
        train_def=signature("train", ["log: Interactions", *typed, "folder: Path"], "None"),
        items=assigned("frame", Call("catalogue_frame", (Raw("catalogue"), *items)), 1),
        catalogue=literal(retriever.interactions.entity),
        log=[
            *_loads(retriever, system, names, imports),
            *assigned("log", log_of(retriever.interactions, events, system), 1),
        ],
        history=emit(_whole(retriever, "history")),
        newest=emit(retriever.setting("events") if isinstance(retriever.setting("events"), int) else None),
        beside=_beside(retriever, frames),
        data=_data(retriever),
        trainer=", ".join(f"{name}={emit(value)}" for name, value in _trainer(retriever)),
        fit_def=signature("fit", ["log: Interactions", *typed], "Retriever"),
        fitted=emit(Call("train", tuple(map(Raw, ["log", *frames, "Path(folder)"]))), 2),
        asking=_asking(retriever, system, names, imports, tables=bool(users)),
        trained=emit(Call("train", tuple(map(Raw, ["log", *frames, "folder"]))), 1),
        parameters=emit(_whole(retriever, "dim")),
    )
    return render("training/two_tower.py.j2", replace(context, imports="\n".join(imports.lines())))


def _imported(imports: Imports) -> None:
    imports.add("shutil")
    imports.add("tempfile")
    imports.add("pathlib", "Path")
    imports.add("polars as pl")
    imports.add("features", "WORKSPACE", "load")
    imports.add(f"{TABULAR}.rows", "Rows")
    imports.add(f"{TOWERS}.batches", "PairsData")
    imports.add(f"{TABULAR}.checkpoints", "load_best", "newest", "place")
    imports.add(f"{TOWERS}.export", "FILES", "export")
    imports.add(f"{TABULAR}.features", "Category", "Embedding", "LastItems")
    imports.add(f"{TOWERS}.features", "Towers")
    imports.add(f"{TOWERS}.learning", "learn")
    imports.add(f"{TOWERS}.module", "Settings", "TwoTower")
    imports.add(f"{TOWERS}.negatives", "Negatives")
    imports.add(f"{TOWERS}.tower", "Shape")
    imports.add(f"{TABULAR}.trainer", "lean_trainer")
    imports.add(f"{TOWERS}.user_tower", "VECTORS")
    imports.add(f"{RETRIEVAL}.catalogue", "Catalogue")
    imports.add(f"{RETRIEVAL}.interactions", "Histories", "Interactions")
    imports.add(f"{RETRIEVAL}.tower_examples", "catalogue_frame", "examples", "some_histories")
    imports.add(f"{RETRIEVAL}.two_tower", "TwoTower as Retriever")
    imports.add("mlsd_framework.runtime.training", "artefacts")
    imports.add("mlsd_framework.runtime.training.candidate_examples", "interactions")


def _loads(retriever: Retriever, system: System, names: ScriptNames, imports: Imports) -> list[str]:
    """Return the lines that load what the towers are fitted on beside the log."""
    lines = []
    for one in fitted_on(retriever, system):
        table = names.table(system.source(one))
        imports.add("features", table)
        lines.append(f"{names.frame(one)} = load({table})")
    return lines


def _windows(retriever: Retriever, system: System, names: ScriptNames, imports: Imports) -> list[str]:
    """Return the function that computes features of windows for users at moments, or nothing where none are read."""
    groups = window_groups(retriever, system)
    if not groups:
        return []
    typed = [f"{names.frame(one)}: pl.LazyFrame" for one in fitted_on(retriever, system)]
    named = {group.name for group in groups}
    columns: list[Item] = [ref.dotted for ref in retriever.user_features if ref.group in named]
    beside = [line for group in groups for line in values_beside(group, system, names, imports, AT)]
    lines = [*beside[1:], "", *assigned("columns", columns, 1), "return rows.select(columns)"]
    return [
        signature("windows", [*typed, "rows: pl.DataFrame"], "pl.DataFrame"),
        '    """Return what the user tower reads of windows: a row a user and moment, as of just before it."""',
        *(f"    {line}" if line else "" for line in lines),
    ]


def _beside(retriever: Retriever, frames: list[str]) -> list[str]:
    """Return the lines that put features of windows beside the examples."""
    if not frames:
        return []
    return assigned("taken", Call("taken.beside", (_windows_of("taken", retriever, frames),)), 1)


def _windows_of(asked: str, retriever: Retriever, frames: list[str]) -> Call:
    """Return the call that computes features of windows for examples, or for those who ask."""
    moments = Call(f"{asked}.moments", (Raw("log"), Raw(frames[0]), retriever.interactions.user))
    return Call("windows", (*map(Raw, frames), moments))


def _asking(retriever: Retriever, system: System, names: ScriptNames, imports: Imports, *, tables: bool) -> list[str]:
    """Return the lines that give the histories of those who ask what else the user tower reads."""
    known: list[Item] = [ref.dotted for ref in retriever.user_features]
    if not known:
        return ["return asked.histories"]
    imports.add("dataclasses", "replace")
    imports.add(f"{RETRIEVAL}.frames", "columns_of")
    frames = [names.frame(one) for one in fitted_on(retriever, system)]
    rows: list[Item] = [Raw("users(log.user_keys)[asked.users]")] if tables else []
    rows += [_windows_of("asked", retriever, frames)] if frames else []
    whole = rows[0] if len(rows) == 1 else Call("pl.concat", (rows,), (("how", "horizontal"),))
    columns = Call("columns_of", (Raw("rows"), known))
    with_columns = emit(Call("replace", (Raw("asked.histories"),), (("columns", columns),)), 1, 7)
    return [
        *_loads(retriever, system, names, imports),
        *assigned("rows", whole, 1),
        *f"return {with_columns}".replace("\n    ", "\n").split("\n"),
    ]


def _towers(retriever: Retriever, imports: Imports) -> Call:
    length = _whole(retriever, "history")
    pooled = str(retriever.setting("pooling"))
    last = Call("LastItems", (_HISTORY, _ITEM, length), given(pooling=pooled if pooled != "mean" else None))
    # What is known of who asks comes in columns of candidates, which have booleans as numbers.
    numbers = {ref.dotted for ref in retriever.user_features if ref.type.numeric or ref.type.name == "bool"}
    numbers |= {ref.dotted for ref in retriever.item_features if ref.type.numeric}
    user = (last, *(_feature(ref.dotted, numbers, imports) for ref in retriever.user_features))
    item = (
        Call("Category", (_ITEM, _ITEM)),
        *(_feature(ref.dotted, numbers, imports) for ref in retriever.item_features),
    )
    read = dict.fromkeys(ref.dotted for ref in (*retriever.user_features, *retriever.item_features))
    categories = [name for name in read if name not in numbers]
    named: tuple[tuple[str, Item], ...] = (("minimum", _whole(retriever, "least")),)
    embeddings = (
        Call("Embedding", (_ITEM, _whole(retriever, "item_embedding")), named),
        *(Call("Embedding", (name, _whole(retriever, "category_embedding"))) for name in categories),
    )
    return Call("Towers", (), (("user", user), ("item", item), ("embeddings", embeddings)))


def _feature(name: str, numbers: set[str], imports: Imports) -> Call:
    if name in numbers:
        imports.add(f"{TABULAR}.features", "Number")
        return Call("Number", (name,))
    return Call("Category", (name, name))


def _settings(retriever: Retriever) -> Call:
    layers = retriever.setting("layers")
    shape: tuple[tuple[str, Item], ...] = (
        ("dimension", _whole(retriever, "dim")),
        ("layers", tuple(_plain(one) for one in layers) if isinstance(layers, tuple) else ()),
        ("similarity", str(retriever.setting("similarity"))),
        ("temperature", _plain(retriever.setting("temperature"))),
        ("hidden_ids", _plain(retriever.setting("hidden_ids"))),
    )
    negatives: tuple[tuple[str, Item], ...] = (
        ("uniform", _whole(retriever, "negatives_uniform")),
        ("popular", _whole(retriever, "negatives_popular")),
        ("mined", _whole(retriever, "negatives_hard")),
        *_mining(retriever),
        ("corrected", bool(retriever.setting("negatives_corrected"))),
    )
    named: tuple[tuple[str, Item], ...] = (
        ("shape", Call("Shape", (), shape)),
        ("negatives", Call("Negatives", (), negatives)),
        ("learning_rate", _plain(retriever.setting("learning_rate"))),
        ("recall_at", _whole(retriever, "recall_at")),
        ("seed", _whole(retriever, "seed")),
    )
    return Call("Settings", (), named)


def _data(retriever: Retriever) -> list[str]:
    """Return the lines that put together what an epoch is made of."""
    named: tuple[tuple[str, Item], ...] = (("size", Raw("size")), ("negatives", Raw("SETTINGS.negatives")))
    if _whole(retriever, "negatives_hard"):
        named += (("met", Raw("taken.met(log)")),)
    pairs = (Raw("learned"), Raw("validated"), Raw("len(catalogue)"))
    made = Call("PairsData", pairs, (*named, ("seed", Raw("SETTINGS.seed"))))
    return [f"size = min({_whole(retriever, 'batch')}, len(learned.items))", *assigned("data", made, 1)]


def _mining(retriever: Retriever) -> tuple[tuple[str, Item], ...]:
    """Return how hard negatives are found, where there are to be some."""
    if not _whole(retriever, "negatives_hard"):
        return ()
    return (
        ("mined_pool", _whole(retriever, "negatives_hard_pool")),
        ("skipped", _whole(retriever, "negatives_hard_skip")),
        ("engine", str(retriever.setting("negatives_hard_engine"))),
    )


def _trainer(retriever: Retriever) -> tuple[tuple[str, Item], ...]:
    named: tuple[tuple[str, Item], ...] = (
        ("epochs", _whole(retriever, "epochs")),
        ("patience", _whole(retriever, "patience")),
    )
    if retriever.setting("strategy") != "auto":
        named += (("strategy", str(retriever.setting("strategy"))), ("devices", _whole(retriever, "devices")))
    return named


def _whole(retriever: Retriever, name: str) -> int:
    return int(str(retriever.setting(name)))


def _plain(value: SettingValue) -> int | float:
    if not isinstance(value, int | float):
        raise TypeError(value)
    return value
