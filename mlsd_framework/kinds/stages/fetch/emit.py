"""The lines of `fetch`: one read of all groups in one round trip."""

from mlsd_framework.codegen.feature_code import state_dtypes, window_group
from mlsd_framework.codegen.python import Call, Item, Raw, assigned, emit, identifier
from mlsd_framework.codegen.row_code import row_value
from mlsd_framework.codegen.service_code import RUNTIME, SERVING, ServiceCode, goes_on
from mlsd_framework.codegen.store_types import annotation, default_of, store_dtype
from mlsd_framework.ir.features import Feature, StoredGroup, WindowGroup
from mlsd_framework.ir.serving import Stage
from mlsd_framework.ir.system import System

Groups = tuple[StoredGroup, ...]

_NAMED = 3  # rows that fit into one line, whatever they are called


def write_fetch(stage: Stage, groups: Groups, moment: str | None, system: System, code: ServiceCode) -> None:
    """Declare the rows' layouts, connect the store, and read; `moment` is the request's column of when it happened."""
    for group in groups:
        _declare(group, system, code)
    _connect(groups, system, code)
    names = {group.name: code.name(f"features of {group.name}", group.name) for group in groups}
    found, rows = _rows(stage, groups, code)
    code.default(
        stage,
        **{names[group.name]: f"{_class(group, code)}._make({_layout(group, code)}.defaults)" for group in groups},
    )
    code.values |= {
        f"{group.name}.{one.name}": f"{names[group.name]}.{one.name}" for group in groups for one in group.features
    }
    keys = tuple((group.name, tuple(Raw(code.values[column]) for column in group.key)) for group in groups)
    asked = code.name(f"keys of {stage.name}", "asked")
    lines = f"{asked} = {emit(keys, 3, len(asked) + 3)}".replace(f"\n{' ' * 12}", "\n").split("\n")
    arguments: tuple[tuple[str, Item], ...] = ()
    if any(_live(group) for group in groups):
        if moment is None:
            code.imports.add(f"{SERVING}.moments", "now")
        arguments = (("at", Raw(code.values[moment] if moment is not None else "now()")),)
    if code.endpoint.cache is not None and code.kept is None:
        _keep(stage, code)
        stamped = (Raw(asked), tuple(group.name for group in groups), Raw("call.remaining()"))
        read = Call("self.store.read_stamped", stamped, arguments)
        lines += assigned(f"({found}), {code.kept}" if "," in found else f"{found}, {code.kept}", read, 3)
    else:
        lines += assigned(found, Call("self.store.read", (Raw(asked), Raw("call.remaining()")), arguments), 3)
    lines += [
        f"{names[group.name]} = {_class(group, code)}._make({row})" for group, row in zip(groups, rows, strict=True)
    ]
    code.run(stage, lines)


def _keep(stage: Stage, code: ServiceCode) -> None:
    """Let what is read tell whether a list that was made before is still good; without it there is no stamp."""
    code.kept = code.name(f"stamp of {stage.name}", "stamp")
    if goes_on(stage):
        code.body.append(f"{code.kept} = None")


def write_row_fetch(stage: Stage, groups: Groups, moment: str | None, system: System, code: ServiceCode) -> None:
    """Read the groups for each candidate: parts of a key are lists, a value a candidate, or values of the request."""
    for group in groups:
        _declare_layout(group, system, code)
    _connect(groups, system, code)
    keys = code.name(f"keys of {stage.name}", "keys")
    parts: list[Item] = []
    for group in groups:
        key = tuple(Raw(keys if column == code.candidates else code.values[column]) for column in group.key)
        parts.append((group.name, key))
    asked = code.name(f"asked by {stage.name}", "asked")
    lines = [f"{keys} = {code.values[str(code.candidates)]}"]
    lines += f"{asked} = {emit(tuple(parts), 3, len(asked) + 3)}".replace(f"\n{' ' * 12}", "\n").split("\n")
    named: tuple[tuple[str, Item], ...] = ()
    if any(_live(group) for group in groups):
        if moment is None:
            code.imports.add(f"{SERVING}.moments", "now")
        named = (("at", Raw(code.values[moment] if moment is not None else "now()")),)
    code.imports.add(f"{RUNTIME}.features.row_reads", "read_columns")
    store = Raw("self.store")
    read = Call("read_columns", (store, Raw(asked), Raw(f"len({keys})"), Raw("call.remaining()")), named)
    found = code.name(f"columns of {stage.name}", "found")
    lines += assigned(found, read, 3)
    lines.append(f"candidates = candidates.with_columns(**{found})")
    if goes_on(stage):
        code.imports.add(f"{RUNTIME}.features.row_reads", "default_columns")
        names = emit(tuple(group.name for group in groups))
        absent = f"default_columns(self.store, {names}, len(candidates.items))"
        code.default(stage, candidates=f"candidates.with_columns(**{absent})")
    code.run(stage, lines)
    code.values |= {
        f"{group.name}.{one.name}": row_value(f"{group.name}.{one.name}") for group in groups for one in group.features
    }


def _rows(stage: Stage, groups: Groups, code: ServiceCode) -> tuple[str, list[str]]:
    """Return what the rows that are read are assigned to, and how each is named: many share one name."""
    if len(groups) > _NAMED:
        rows = code.name(f"stored rows of {stage.name}", "rows")
        return rows, [f"{rows}[{at}]" for at in range(len(groups))]
    names = [code.name(f"stored row of {group.name}", f"{group.name}_row") for group in groups]
    return f"({names[0]},)" if len(names) == 1 else ", ".join(names), names


def _live(group: StoredGroup) -> bool:
    return isinstance(group, WindowGroup) and group.live


def _declare(group: StoredGroup, system: System, code: ServiceCode) -> None:
    code.imports.add("typing", "NamedTuple")
    fields = "\n".join(f"    {identifier(one.name)}: {_annotation(one, group)}" for one in group.features)
    doc = f'    """A row of the feature group `{group.name}`."""\n\n'
    name = _class(group, code)
    code.declare(name, f"class {name}(NamedTuple):\n{doc}{fields}", group.span)
    _declare_layout(group, system, code)


def _declare_layout(group: StoredGroup, system: System, code: ServiceCode) -> None:
    layout_name = _layout(group, code)
    if isinstance(group, WindowGroup) and group.live:
        source = system.source(group.source)
        code.imports.add(f"{RUNTIME}.state.layout", "StateLayout")
        state = Call("StateLayout", (window_group(group, source, code.imports), state_dtypes(group, source)))
        code.declare(layout_name, f"{layout_name} = {emit(state, 0, len(layout_name) + 3)}")
        return
    code.imports.add(f"{RUNTIME}.features.packed", "RowLayout")
    code.imports.add(f"{RUNTIME}.features.windows", "FeatureColumn")
    columns = tuple(
        Call(
            "FeatureColumn",
            (
                one.name,
                store_dtype(one.type),
                *([default_of(group, one.name)] if default_of(group, one.name) is not None else []),
            ),
        )
        for one in group.features
    )
    layout = Call("RowLayout", (group.name, columns, group.key))
    code.declare(layout_name, f"{layout_name} = {emit(layout, 0, len(layout_name) + 3)}")


def _connect(groups: Groups, system: System, code: ServiceCode) -> None:
    code.imports.add(f"{RUNTIME}.features.online", "OnlineStore")
    code.imports.add(f"{SERVING}.store", "store_url")
    # A pipeline with several fetches has one store.
    code.layouts += [_layout(group, code) for group in groups if not _live(group)]
    code.live += [_layout(group, code) for group in groups if _live(group)]
    named: tuple[tuple[str, Item], ...] = (
        ("system", system.name),
        ("features", Raw("FEATURES")),
        ("layouts", tuple(Raw(name) for name in code.layouts)),
    )
    if code.live:
        named += (("live", tuple(Raw(name) for name in code.live)),)
    connect = Call("OnlineStore.connect", (Raw("store_url()"),), named)
    code.init["store"] = f"self.store = {emit(connect, 2, 13)}".replace(f"\n{' ' * 8}", "\n")


def _class(group: StoredGroup, code: ServiceCode) -> str:
    return code.class_name(f"row of {group.name}", group.name)


def _layout(group: StoredGroup, code: ServiceCode) -> str:
    return code.shared(f"layout of {group.name}", group.name)


def _annotation(feature: Feature, group: StoredGroup) -> str:
    """Return the type of a feature's value; counts and lists have one even for a key never seen."""
    base = annotation(store_dtype(feature.type))
    return base if default_of(group, feature.name) is not None else f"{base} | None"
