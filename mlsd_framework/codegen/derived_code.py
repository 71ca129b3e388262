"""Groups with a `kind` as declarations of the runtime."""

from mlsd_framework.codegen.feature_code import FEATURES
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, given
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.store_types import store_dtype
from mlsd_framework.ir.features import DerivedGroup, Reading
from mlsd_framework.ir.system import System


def derived_group(group: DerivedGroup, system: System, names: ScriptNames, imports: Imports) -> Call:
    """Return the declaration of a group for the runtime; its function is imported under a name of the group's own."""
    imports.add(f"{FEATURES}.derived", "DerivedGroup", "Reading")
    imports.add(f"{FEATURES}.windows", "FeatureColumn")
    imports.add("datetime", "timedelta")
    module, _, function = group.function.partition(":")
    imports.add(module, f"{function} as {names.function(group)}")
    columns: tuple[Item, ...] = tuple(
        Call("FeatureColumn", (one.name, store_dtype(one.type), *([default] if default is not None else [])))
        for one, default in zip(group.features, group.defaults, strict=True)
    )
    settings: tuple[tuple[Item, Item], ...] = tuple((name, value) for name, value in group.settings)
    named = given(
        name=group.name,
        entity=group.key,
        readings=tuple(_reading(one, system) for one in group.readings),
        function=Raw(names.function(group)),
        columns=columns,
        refresh=group.refresh,
        window=group.window,
        delay=group.delay or None,
        settings=Mapping(settings) if settings else None,
    )
    return Call("DerivedGroup", (), named)


def frames(group: DerivedGroup, names: ScriptNames) -> Mapping:
    """Return the frames that a group is computed from, by the names of their sources."""
    return Mapping(tuple((source, Raw(names.frame(source))) for source in group.sources))


def _reading(one: Reading, system: System) -> Call:
    source = system.source(one.source)
    named = given(
        source=source.name,
        columns=one.columns,
        event_time=source.event_time,
        ingest_time=source.ingest_time,
        key=source.key,
        distinct=one.distinct or None,
    )
    return Call("Reading", (), named)
