"""`training/index_<name>.py`: builds an index over the vectors of a retriever's items."""

from dataclasses import dataclass

from mlsd_framework.codegen.interactions_code import log_of
from mlsd_framework.codegen.python import Call, Imports, Item, Raw, assigned, literal
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.retrieval import Index
from mlsd_framework.ir.system import System
from mlsd_framework.plugin.registry import Registry

RETRIEVAL = "mlsd_framework.runtime.retrieval"


@dataclass(frozen=True, slots=True)
class IndexFile:
    """The context of `training/index.py.j2`."""

    name: str
    model: str
    spec: str
    imports: str
    lines: list[str]


def index_file(index: Index, system: System, spec: str, registry: Registry) -> str:
    """Return the text of the script that builds an index."""
    imports, names, retriever = Imports(), ScriptNames(system), index.retriever
    kind = registry.retrievers[retriever.kind]
    module, _, source = kind.source(retriever).partition(":")
    table = names.table(system.source(retriever.interactions.source))
    imports.add(retriever.name)
    imports.add(module, source)
    imports.add("features", "WORKSPACE", "load", table)
    imports.add(f"{RETRIEVAL}.catalogue", "Catalogue")
    imports.add("mlsd_framework.runtime.training.candidate_examples", "interactions")
    imports.add("mlsd_framework.runtime.training.indexing", "chosen", "put")
    named: tuple[tuple[str, Item], ...] = (
        ("recall", index.recall),
        ("k", index.k),
        ("engines", index.engines),
    )
    built = Call("chosen", (Raw("embeds"), Raw(f"{retriever.name}.asking(log)")), named)
    lines = [
        pointer(index.span),
        f"catalogue = Catalogue.load(WORKSPACE.catalogue({literal(retriever.interactions.entity)}))",
        *assigned("log", log_of(retriever.interactions, Raw(f"load({table})"), system), 1),
        f"embeds = {source}.load(WORKSPACE.model({literal(retriever.name)}) / {literal(kind.file)})",
        *assigned("index", built, 1),
        f"put(index, WORKSPACE.index({literal(index.name)}))",
        f'print(f"{index.name}: {{len(index):,}} vectors, {{index.about.kind}}")',
    ]
    return render(
        "training/index.py.j2", IndexFile(index.name, retriever.name, spec, "\n".join(imports.lines()), lines)
    )
