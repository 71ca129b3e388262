"""Live groups as declarations of the runtime: what feeds which states, for the updater and for filling the states."""

from mlsd_framework.codegen.feature_code import has_own_value, state_dtypes
from mlsd_framework.codegen.python import Call, Imports, Item, Raw, emit, given
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.ir.features import WindowGroup
from mlsd_framework.ir.sources import Source
from mlsd_framework.ir.system import System

STREAM = "mlsd_framework.runtime.stream"


def feeds(system: System, names: ScriptNames, imports: Imports) -> str:
    """Return the declaration of `FEEDS`: each source with a stream that a live group reads, and its groups."""
    imports.add(f"{STREAM}.live", "LiveGroup", "LiveSource")
    imports.add(f"{STREAM}.feeds", "Feed")
    imports.add("mlsd_framework.runtime.state.layout", "StateLayout")
    imports.add("datetime", "timedelta")
    fed = list(dict.fromkeys(group.source for group in system.live))
    calls = tuple(_feed(system.source(name), system, names) for name in fed)
    return f"FEEDS = {emit(calls, 0, 8)}"


def _feed(source: Source, system: System, names: ScriptNames) -> Call:
    groups = tuple(_group(group, source, names) for group in system.live if group.source == source.name)
    live = given(
        table=Raw(names.table(source)),
        groups=groups,
        ingest_time=source.ingest_time,
        future=source.allowed_ahead,
    )
    stream = source.stream
    named: tuple[tuple[str, Item], ...] = given(
        stream=stream.name if stream is not None else source.name,
        partitions=stream.partitions if stream is not None and stream.partitions > 1 else None,
        retention=stream.retention if stream is not None else None,
    )
    return Call("Feed", (Call("LiveSource", (), live),), named)


def _group(group: WindowGroup, source: Source, names: ScriptNames) -> Call:
    state = Call("StateLayout", (Raw(names.group(group)), state_dtypes(group, source)))
    derives = any(has_own_value(one) for one in group.aggregates)
    return Call("LiveGroup", (state, *([Raw(names.events(group))] if derives else [])))
