"""`service/updater.py`: the process that reads the streams and keeps the states of live features."""

from collections.abc import Iterator
from dataclasses import dataclass

from mlsd_framework.codegen.artefacts import Artefact
from mlsd_framework.codegen.events_code import events_function
from mlsd_framework.codegen.feature_code import has_own_value, window_group
from mlsd_framework.codegen.feed_code import STREAM, feeds
from mlsd_framework.codegen.python import Call, Imports, Item, Raw, emit, given, literal
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.source_code import source_table
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.features import WindowGroup
from mlsd_framework.ir.fingerprint import features_fingerprint
from mlsd_framework.ir.sources import Source
from mlsd_framework.ir.system import System
from mlsd_framework.plugin.registry import Registry


@dataclass(frozen=True, slots=True)
class UpdaterFile:
    """The context of `stream/updater.py.j2`."""

    system: str
    spec: str
    imports: str
    fingerprint: str
    declarations: list[str]
    functions: list[str]
    feeds: str
    started: str


def stream_files(system: System, spec: str, registry: Registry) -> Iterator[Artefact]:  # noqa: ARG001 - every target has one signature
    """Yield the updater; nothing for a system without live features."""
    if not system.live:
        return
    imports, names = Imports(), ScriptNames(system)
    imports.add("sys")
    imports.add(f"{STREAM}.process", "run")
    fed = [system.source(name) for name in dict.fromkeys(group.source for group in system.live)]
    declarations = [_table(source, system, names, imports) for source in fed]
    declarations += [_group(group, system, names, imports) for group in system.live]
    derived = [group for group in system.live if any(has_own_value(one) for one in group.aggregates)]
    functions = [events_function(group, system, names, imports) for group in derived]
    if functions:
        imports.add("polars as pl")
    declared = feeds(system, names, imports)
    context = UpdaterFile(
        system=system.name,
        spec=spec,
        imports="\n".join(imports.lines()),
        fingerprint=literal(features_fingerprint(system)),
        declarations=declarations,
        functions=functions,
        feeds=declared,
        started=emit(_run(system), 1, 10),
    )
    yield Artefact("service/updater.py", render("stream/updater.py.j2", context), "sources, features")


def _run(system: System) -> Call:
    owed = system.requirements.feature_freshness
    named: tuple[tuple[str, Item], ...] = (("system", system.name), ("features", Raw("FEATURES")))
    named += given(freshness=None if owed is None else owed.total_seconds())
    return Call("run", (Raw("FEEDS"),), named)


def _table(source: Source, system: System, names: ScriptNames, imports: Imports) -> str:
    name = names.table(source)
    return f"{pointer(source.span)}\n{name} = {emit(source_table(source, system, imports), 0, len(name) + 3)}"


def _group(group: WindowGroup, system: System, names: ScriptNames, imports: Imports) -> str:
    name = names.group(group)
    declared = window_group(group, system.source(group.source), imports)
    return f"{pointer(group.span)}\n{name} = {emit(declared, 0, len(name) + 3)}"
