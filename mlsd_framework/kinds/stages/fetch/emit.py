"""The lines of `fetch`: one read of all groups in one round trip."""

from mlsd_framework.codegen.python import Call, Raw, constant, emit, identifier
from mlsd_framework.codegen.service_code import RUNTIME, SERVING, ServiceCode
from mlsd_framework.codegen.store_types import default_of, store_dtype
from mlsd_framework.ir.features import TableGroup, WindowGroup
from mlsd_framework.ir.serving import Stage
from mlsd_framework.ir.system import System

Groups = tuple[WindowGroup | TableGroup, ...]


def write_fetch(stage: Stage, groups: Groups, system: System, code: ServiceCode) -> None:
    """Declare the rows' layouts, connect the store, and read."""
    for group in groups:
        _declare(group, code)
    _connect(groups, system, code)
    asked = tuple((group.name, tuple(Raw(code.values[column]) for column in group.key)) for group in groups)
    rows = [f"{identifier(group.name)}_row" for group in groups]
    for group in groups:
        name = identifier(group.name)
        code.body += [f"{name} = {_class(group)}._make({constant(group.name)}.defaults)"]
        code.values |= {f"{group.name}.{feature.name}": f"{name}.{feature.name}" for feature in group.features}
    lines = f"asked = {emit(asked, 0, 20)}".split("\n")
    lines.append(f"{', '.join(rows)}{',' if len(rows) == 1 else ''} = self.store.read(asked, call.remaining())")
    lines += [
        f"{identifier(group.name)} = {_class(group)}._make({row})" for group, row in zip(groups, rows, strict=True)
    ]
    code.run(stage, lines)


def _declare(group: WindowGroup | TableGroup, code: ServiceCode) -> None:
    code.imports.add("typing", "NamedTuple")
    code.imports.add(f"{RUNTIME}.features.packed", "RowLayout")
    code.imports.add(f"{RUNTIME}.features.windows", "FeatureColumn")
    fields = "\n".join(f"    {identifier(one.name)}: {_annotation(store_dtype(one.type))}" for one in group.features)
    doc = f'    """A row of the feature group `{group.name}`."""\n\n'
    code.declare(_class(group), f"class {_class(group)}(NamedTuple):\n{doc}{fields}", group.span)
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
    code.declare(constant(group.name), f"{constant(group.name)} = {emit(layout, 0, len(group.name) + 3)}")


def _connect(groups: Groups, system: System, code: ServiceCode) -> None:
    code.imports.add(f"{RUNTIME}.features.online", "OnlineStore")
    code.imports.add(f"{SERVING}.store", "store_url")
    layouts = [constant(group.name) for group in groups]
    former = code.init.get("store")
    if former is not None:  # a pipeline with several fetches has one store
        layouts = [*former.split("layouts=(")[1].rstrip("),").split(", "), *layouts]
    named = (
        ("system", system.name),
        ("features", Raw("FEATURES")),
        ("layouts", tuple(Raw(name) for name in dict.fromkeys(layouts))),
    )
    connect = Call("OnlineStore.connect", (Raw("store_url()"),), named)
    code.init["store"] = f"self.store = {emit(connect, 0, 21)}"


def _class(group: WindowGroup | TableGroup) -> str:
    return identifier("".join(part.title() for part in group.name.split("_")))


def _annotation(dtype: str) -> str:
    return {
        "float64": "float | None",
        "int64": "int | None",
        "bool": "bool | None",
        "timestamp": "int | None",
        "string": "str | None",
    }[dtype]
