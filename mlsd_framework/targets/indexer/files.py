"""`service/indexer.py`: the process that brings new items into the indexes of the version that serves."""

from collections.abc import Iterator
from dataclasses import dataclass

from mlsd_framework.codegen.artefacts import Artefact
from mlsd_framework.codegen.feature_code import table_group
from mlsd_framework.codegen.item_conditions import condition_columns
from mlsd_framework.codegen.live_indexes import live_entities
from mlsd_framework.codegen.places import workspace
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, assigned, emit, given, literal
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.source_code import source_table
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.entities import Entity
from mlsd_framework.ir.features import FeatureRef, TableGroup
from mlsd_framework.ir.fingerprint import features_fingerprint, system_fingerprint
from mlsd_framework.ir.retrieval import Index
from mlsd_framework.ir.system import System
from mlsd_framework.plugin.registry import Registry

INDEXER = "mlsd_framework.runtime.indexer"


@dataclass(frozen=True, slots=True)
class IndexerFile:
    """The context of `indexer/indexer.py.j2`."""

    system: str
    spec: str
    imports: str
    workspace: str
    spec_fingerprint: str
    features_fingerprint: str
    declarations: list[str]
    indexed: str
    started: list[str]


def indexer_files(system: System, spec: str, registry: Registry) -> Iterator[Artefact]:
    """Yield the indexer; nothing for a system that owes no freshness of indexes, or has none."""
    entities = list(live_entities(system, registry.retrievers))
    within = system.requirements.index_freshness
    if not entities or within is None:
        return
    imports, names = Imports(), ScriptNames(system)
    imports.add("sys")
    imports.add(f"{INDEXER}.declarations", "IndexedItems")
    imports.add(f"{INDEXER}.indexer", "Places")
    imports.add(f"{INDEXER}.process", "run")
    imports.add("mlsd_framework.runtime.workspace", "Workspace", "project")
    tables = {name: None for entity, indexes in entities for name in _tables(entity, indexes, system)}
    declared = [_table(name, system, names, imports) for name in tables]
    groups = [one for entity, own in entities for one in _groups(entity, own, system)]
    declared += [_group(one, system, names, imports) for one in groups]
    items = tuple(_items(entity, own, system, names, imports) for entity, own in entities)
    named: tuple[tuple[str, Item], ...] = (
        ("system", system.name),
        ("spec", Raw("SPEC")),
        ("features", Raw("FEATURES")),
        ("freshness", within.total_seconds()),
        ("places", Raw("Places(PROJECT, WORKSPACE.checked)")),
    )
    context = IndexerFile(
        system=system.name,
        spec=spec,
        imports="\n".join(imports.lines()),
        workspace=literal(workspace(system)),
        spec_fingerprint=literal(system_fingerprint(system)),
        features_fingerprint=literal(features_fingerprint(system)),
        declarations=declared,
        indexed=emit(items, 0, len("INDEXED = ")),
        started=assigned("status", Call("run", (Raw("INDEXED"),), named), 1),
    )
    yield Artefact("service/indexer.py", render("indexer/indexer.py.j2", context), "sources, features, indexes")


def _tables(entity: Entity, indexes: tuple[Index, ...], system: System) -> list[str]:
    """Return the tables that say something of the items, that which lists them first."""
    refs = [*(ref for one in indexes for ref in one.retriever.item_features), *condition_columns(system, entity.name)]
    groups = (str(ref.group) for ref in refs)
    return list(dict.fromkeys([str(entity.source), *(system.group(name).sources[0] for name in groups)]))


def _groups(entity: Entity, indexes: tuple[Index, ...], system: System) -> list[TableGroup]:
    """Return the groups of the entity that are columns of these tables."""
    tables = _tables(entity, indexes, system)
    return [one for one in system.tables if one.source in tables and one.key == entity.key]


def _items(entity: Entity, indexes: tuple[Index, ...], system: System, names: ScriptNames, imports: Imports) -> Call:
    groups = _groups(entity, indexes, system)
    towers = tuple(
        (one.retriever.name, _columns(entity, one.retriever.item_features, system, names, imports)) for one in indexes
    )
    conditions = _columns(entity, condition_columns(system, entity.name), system, names, imports)
    named = given(
        entity=entity.name,
        table=Raw(names.table(system.source(str(entity.source)))),
        key=entity.key[0],
        title=entity.title,
        towers=Mapping(towers),
        conditions=conditions or None,
        groups=tuple(Raw(names.group(one)) for one in groups),
    )
    return Call("IndexedItems", (), named)


def _columns(
    entity: Entity, refs: tuple[FeatureRef, ...], system: System, names: ScriptNames, imports: Imports
) -> tuple[Item, ...]:
    """Return what an item tower or conditions read, a group at a time, as training reads it."""
    found = []
    for group in dict.fromkeys(str(ref.group) for ref in refs):
        imports.add(f"{INDEXER}.declarations", "ItemColumns")
        table = Raw(names.table(system.source(system.group(group).sources[0])))
        columns = tuple(ref.name for ref in refs if ref.group == group)
        found.append(Call("ItemColumns", (group, table, entity.key[0], columns)))
    return tuple(found)


def _table(name: str, system: System, names: ScriptNames, imports: Imports) -> str:
    source = system.source(name)
    constant = names.table(source)
    declared = emit(source_table(source, system, imports), 0, len(constant) + 3)
    return f"{pointer(source.span)}\n{constant} = {declared}"


def _group(group: TableGroup, system: System, names: ScriptNames, imports: Imports) -> str:
    constant = names.group(group)
    declared = emit(table_group(group, system.source(group.source), imports), 0, len(constant) + 3)
    return f"{pointer(group.span)}\n{constant} = {declared}"
