"""The lines of `fetch`: one read of all groups in one round trip."""

from mlsd_framework.codegen.python import Call, Raw, assigned, emit, identifier
from mlsd_framework.codegen.service_code import RUNTIME, SERVING, ServiceCode
from mlsd_framework.codegen.store_types import default_of, store_dtype
from mlsd_framework.ir.features import Feature, StoredGroup
from mlsd_framework.ir.serving import Stage
from mlsd_framework.ir.system import System

Groups = tuple[StoredGroup, ...]


def write_fetch(stage: Stage, groups: Groups, system: System, code: ServiceCode) -> None:
    """Declare the rows' layouts, connect the store, and read."""
    for group in groups:
        _declare(group, code)
    _connect(groups, system, code)
    names = {group.name: code.name(f"features of {group.name}", group.name) for group in groups}
    rows = [code.name(f"stored row of {group.name}", f"{group.name}_row") for group in groups]
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
    found = f"({rows[0]},)" if len(rows) == 1 else ", ".join(rows)
    lines += assigned(found, Call("self.store.read", (Raw(asked), Raw("call.remaining()"))), 3)
    lines += [
        f"{names[group.name]} = {_class(group, code)}._make({row})" for group, row in zip(groups, rows, strict=True)
    ]
    code.run(stage, lines)


def _declare(group: StoredGroup, code: ServiceCode) -> None:
    code.imports.add("typing", "NamedTuple")
    code.imports.add(f"{RUNTIME}.features.packed", "RowLayout")
    code.imports.add(f"{RUNTIME}.features.windows", "FeatureColumn")
    fields = "\n".join(f"    {identifier(one.name)}: {_annotation(one, group)}" for one in group.features)
    doc = f'    """A row of the feature group `{group.name}`."""\n\n'
    name, layout_name = _class(group, code), _layout(group, code)
    code.declare(name, f"class {name}(NamedTuple):\n{doc}{fields}", group.span)
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
    code.layouts += [_layout(group, code) for group in groups]  # a pipeline with several fetches has one store
    named = (
        ("system", system.name),
        ("features", Raw("FEATURES")),
        ("layouts", tuple(Raw(name) for name in code.layouts)),
    )
    connect = Call("OnlineStore.connect", (Raw("store_url()"),), named)
    code.init["store"] = f"self.store = {emit(connect, 2, 13)}".replace(f"\n{' ' * 8}", "\n")


def _class(group: StoredGroup, code: ServiceCode) -> str:
    return code.class_name(f"row of {group.name}", group.name)


def _layout(group: StoredGroup, code: ServiceCode) -> str:
    return code.shared(f"layout of {group.name}", group.name)


def _annotation(feature: Feature, group: StoredGroup) -> str:
    """Return the type of a feature's value; counts have a number even for a key never seen."""
    base = {"float64": "float", "int64": "int", "bool": "bool", "timestamp": "int", "string": "str"}[
        store_dtype(feature.type)
    ]
    return base if default_of(group, feature.name) is not None else f"{base} | None"
