"""`spark/stream.py`: live groups fed by Structured Streaming, of the declarations of the training scripts."""

from dataclasses import dataclass

from mlsd_framework.codegen.feature_code import state_dtypes
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, assigned, given, literal
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.features import WindowGroup
from mlsd_framework.ir.sources import Source
from mlsd_framework.ir.system import System
from mlsd_framework.targets.training.features import has_own_values
from mlsd_framework.targets.training.names import ScriptNames


@dataclass(frozen=True, slots=True)
class StreamFile:
    """The context of `training/spark_stream.py.j2`."""

    spec: str
    system: str
    imports: str
    scripts: str
    feeds: list[str]
    session: list[str]


def stream_file(system: System, spec: str) -> str:
    """Return the text of `spark/stream.py`."""
    imports, scripts, names = Imports(), Imports(), ScriptNames(system)
    imports.add("sys")
    imports.add("pathlib", "Path")
    imports.add("mlsd_framework.runtime.features.live_names", "LiveNames")
    imports.add("mlsd_framework.runtime.spark.job", "session")
    imports.add("mlsd_framework.runtime.spark.streaming", "parse_stream", "run_stream")
    imports.add("mlsd_framework.runtime.state.layout", "StateLayout")
    imports.add("mlsd_framework.runtime.stream.live", "LiveGroup", "LiveSource")
    scripts.add("features", "FINGERPRINT", "WORKSPACE")
    live = [group for group in system.windows if group.live]
    feeds: list[tuple[Item, Item]] = []
    for name in dict.fromkeys(group.source for group in live):
        source = system.source(name)
        groups = [group for group in live if group.source == name]
        feeds.append((name, _feed(source, groups, names, imports, scripts)))
    context = StreamFile(
        spec=spec,
        system=literal(system.name),
        imports="\n".join(imports.lines()),
        scripts="\n".join(scripts.lines()),
        feeds=[*(pointer(group.span) for group in live), *assigned("FEEDS", Mapping(tuple(feeds)), 0)],
        session=assigned("spark", Call("session", (system.name, ())), 1),
    )
    return render("training/spark_stream.py.j2", context)


def _feed(source: Source, groups: list[WindowGroup], names: ScriptNames, imports: Imports, scripts: Imports) -> Call:
    scripts.add("features", names.table(source))
    imports.add("datetime", "timedelta")
    named = given(
        table=Raw(names.table(source)),
        groups=tuple(_group(group, source, names, scripts) for group in groups),
        ingest_time=source.ingest_time,
        future=source.allowed_ahead,
    )
    return Call("LiveSource", (), named)


def _group(group: WindowGroup, source: Source, names: ScriptNames, scripts: Imports) -> Call:
    scripts.add("features", names.group(group))
    layout = Call("StateLayout", (Raw(names.group(group)), state_dtypes(group, source)))
    if not has_own_values(group):
        return Call("LiveGroup", (layout,))
    scripts.add("features", names.events(group))
    return Call("LiveGroup", (layout, Raw(names.events(group))))
