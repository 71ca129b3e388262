"""`training/catalogue.py` and a script for each model that finds candidates."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from mlsd_framework.codegen.interactions_code import log_of, tables_of, users_lines
from mlsd_framework.codegen.item_conditions import condition_columns
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, assigned, emit, literal
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.entities import Entity
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.system import System
from mlsd_framework.plugin.registry import Registry

if TYPE_CHECKING:
    from mlsd_framework.plugin.retrievers import FittedKind, TextKind, TrainedKind

RETRIEVAL = "mlsd_framework.runtime.retrieval"
TEXT = "mlsd_framework.runtime.text"
EXAMPLES = "mlsd_framework.runtime.training.candidate_examples"


@dataclass(frozen=True, slots=True)
class CatalogueFile:
    """The context of `training/catalogue.py.j2`."""

    spec: str
    imports: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class RetrieverFile:
    """The context of `training/retriever.py.j2`."""

    spec: str
    imports: str
    model: str
    kind: str
    source: str
    users: list[str]
    vectors: list[str]
    fit: list[str]
    log: list[str]
    catalogue: str
    name: str
    kind_literal: str
    parameters: str


def catalogue_file(system: System, spec: str) -> str:
    """Return the text of `training/catalogue.py`."""
    names, imports = ScriptNames(system), Imports()
    imports.add(f"{RETRIEVAL}.catalogue", "Catalogue")
    imports.add("features", "WORKSPACE", "load")
    lines: list[str] = []
    for entity in system.catalogues:
        source = system.source(str(entity.source))
        table = names.table(source)
        imports.add("features", table)
        title: tuple[Item, ...] = (entity.title,) if entity.title else ()
        made = Call("Catalogue.of", (Raw(f"load({table}).collect()"), entity.key[0], *title))
        lines += ["", pointer(entity.span), *assigned("items", made, 1)]
        lines.append(f"items.save(WORKSPACE.catalogue({literal(entity.name)}))")
        lines += _known(entity, system, names, imports)
        lines.append(f'print(f"{entity.name}: {{len(items):,}} items")')
    return render("training/catalogue.py.j2", CatalogueFile(spec, "\n".join(imports.lines()), lines[1:]))


def _known(entity: Entity, system: System, names: ScriptNames, imports: Imports) -> list[str]:
    """Return the lines that keep what conditions of a retrieval read of the items."""
    refs = condition_columns(system, entity.name)
    if not refs:
        return []
    imports.add(f"{RETRIEVAL}.item_table", "ItemTable")
    tables: list[Item] = list(tables_of(refs, entity.key[0], "items.keys", system, names, imports))
    made = assigned("known", Call("ItemTable.of", (tables,)), 1)
    return [*made, f"known.save(WORKSPACE.item_table({literal(entity.name)}))"]


def retriever_file(retriever: Retriever, system: System, spec: str, registry: Registry) -> str:
    """Return the text of the script that fits a retriever."""
    names, imports = ScriptNames(system), Imports()
    kind = registry.retrievers[retriever.kind]
    if hasattr(kind, "training"):
        return cast("TrainedKind", kind).training(retriever, system)
    module, _, name = kind.source(retriever).partition(":")
    imports.add(module, name)
    imports.add(f"{RETRIEVAL}.catalogue", "Catalogue")
    imports.add(f"{RETRIEVAL}.interactions", "Interactions")
    imports.add("mlsd_framework.runtime.training", "artefacts")
    imports.add(EXAMPLES, "interactions")
    imports.add("features", "WORKSPACE", "load")
    fit = emit(cast("FittedKind", kind).fit(retriever, imports), 1, 7).replace("\n    ", "\n").split("\n")
    table = names.table(system.source(retriever.interactions.source))
    imports.add("features", table)
    log = retriever.interactions
    tables = tables_of(retriever.user_features, log.user, "keys", system, names, imports)
    if tables:
        imports.add("polars as pl")
    vectors = _vectors(cast("TextKind", kind), retriever, system, names, imports) if retriever.item_text else []
    settings: tuple[tuple[Item, Item], ...] = tuple(
        (one, value) for one, value in retriever.settings if not isinstance(value, tuple)
    )
    context = RetrieverFile(
        spec=spec,
        imports="\n".join(imports.lines()),
        model=retriever.name,
        kind=retriever.kind,
        source=name,
        users=users_lines(tables) if tables else [],
        vectors=vectors,
        fit=[pointer(retriever.span), f"return {fit[0]}", *fit[1:]],
        log=assigned("log", log_of(retriever.interactions, Raw(f"load({table})"), system), 1),
        catalogue=literal(retriever.interactions.entity),
        name=literal(retriever.name),
        kind_literal=literal(retriever.kind),
        parameters=emit(Mapping(settings), 2, 11),
    )
    return render("training/retriever.py.j2", context)


def _vectors(kind: "TextKind", retriever: Retriever, system: System, names: ScriptNames, imports: Imports) -> list[str]:
    """Return the lines that make a vector of each item's words."""
    entity = system.entity(retriever.interactions.entity)
    table = names.table(system.source(str(entity.source)))
    imports.add("functools", "cache")
    imports.add("features", table)
    imports.add(f"{TEXT}.distinct", "Vectors")
    imports.add(f"{TEXT}.words", "words_of")
    columns = list[Item](retriever.item_text)
    words = Call("words_of", (Raw(f"load({table})"), entity.key[0], Raw("catalogue.keys"), columns))
    made = emit(kind.vectors(retriever, imports), 1, 7).replace("\n    ", "\n").split("\n")
    return [*assigned("words", words, 1), f"return {made[0]}", *made[1:]]
