"""`training/features.py`: the declarations, the events that windows read, and materialisation."""

from dataclasses import dataclass

from mlsd_framework.codegen.derived_code import frames
from mlsd_framework.codegen.events_code import events_call, events_function, used_sources
from mlsd_framework.codegen.feature_code import FEATURES
from mlsd_framework.codegen.feed_code import feeds
from mlsd_framework.codegen.places import workspace
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, assigned, emit, literal
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.source_code import DATA
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.features import DerivedGroup, StoredGroup, WindowGroup
from mlsd_framework.ir.fingerprint import features_fingerprint
from mlsd_framework.ir.system import System
from mlsd_framework.targets.training.declarations import declarations


@dataclass(frozen=True, slots=True)
class FeaturesFile:
    """The context of `training/features.py.j2`."""

    system: str
    spec: str
    imports: str
    workspace: str
    fingerprint: str
    declarations: list[str]
    functions: list[str]
    materialised: list[str]
    has_groups: bool
    loads: list[str]
    published: str
    feeds: str
    logs: str


def features_file(system: System, spec: str) -> str:
    """Return the text of `training/features.py`."""
    imports, names = Imports(), ScriptNames(system)
    imports.add("polars as pl")
    imports.add("mlsd_framework.runtime.workspace", "Workspace", "project")
    blocks = list(declarations(system, names, imports))
    imports.add(f"{DATA}.scan", "scan_source")
    functions = [events_function(group, system, names, imports) for group in system.windows]
    stored, live = system.stored, system.live
    declared = feeds(system, names, imports) if live else ""
    if live:
        imports.add("mlsd_framework.runtime.stream.feeds", "fill_states")
    if stored:
        imports.add("argparse")
        imports.add(f"{FEATURES}.materialisation", "materialise_all", "write_groups")
    fed = list(dict.fromkeys(group.source for group in live))
    context = FeaturesFile(
        system=literal(system.name),
        spec=spec,
        imports="\n".join(imports.lines()),
        workspace=literal(workspace(system)),
        fingerprint=literal(features_fingerprint(system)),
        declarations=blocks,
        functions=functions,
        materialised=_materialised(stored, system, names),
        has_groups=bool(stored),
        published=_published(stored, live) if live else "",
        feeds=declared,
        logs=emit(Mapping(tuple((name, Raw(names.frame(name))) for name in fed)), 2, 19),
        loads=[f"{names.frame(name)} = load({names.table(system.source(name))})" for name in used_sources(system)],
    )
    return render("training/features.py.j2", context)


def _published(stored: tuple[StoredGroup, ...], live: tuple[WindowGroup, ...]) -> str:
    """Return the assignment of the groups whose rows are published: all but the live ones."""
    rows: list[Item] = [group.name for group in stored if group not in live]
    return f"rows = {emit(rows, 1, 7)}" if rows else "rows: list[str] = []"


def _materialised(stored: tuple[StoredGroup, ...], system: System, names: ScriptNames) -> list[str]:
    pairs: tuple[Item, ...] = tuple((Raw(names.group(group)), _rows(group, system, names)) for group in stored)
    return assigned("groups", Call("materialise_all", (pairs,)), 1)


def _rows(group: StoredGroup, system: System, names: ScriptNames) -> Item:
    """Return what a group is computed from: its events, its table, or a frame for each source."""
    if isinstance(group, DerivedGroup):
        return frames(group, names)
    return events_call(group, system, names) if isinstance(group, WindowGroup) else Raw(names.frame(group.source))
