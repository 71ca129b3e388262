"""Names that become Python identifiers and files must not be taken already."""

import keyword
import sys
from collections.abc import Iterator
from typing import Final

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.features import DerivedGroup, TableGroup
from mlsd_framework.ir.system import System

# Names that the generated service uses itself.
_OURS: Final = frozenset(
    {
        "action",
        "bundle",
        "call",
        "candidates",
        "degraded",
        "history",
        "reasons",
        "request",
        "self",
        "sources",
        "sql",
        "store",
        "version",
    }
)
# Scripts that stand beside a model's, and modules that one of its name would hide from them.
_SCRIPTS: Final = frozenset({"catalogue", "dataset", "evaluate", "features"}) | sys.stdlib_module_names
_PACKAGES: Final = frozenset(
    {"alembic", "attr", "bentoml", "catboost", "feast", "graphviz", "imblearn", "jinja2", "joblib", "matplotlib",
     "mlflow", "mlsd_framework", "msgspec", "narwhals", "numba", "numpy", "onnx", "onnxruntime", "optuna", "packaging",
     "pandas", "plotly", "polars", "psutil", "pyarrow", "safetensors", "scipy", "six", "skl2onnx", "sklearn",
     "sqlalchemy", "threadpoolctl", "torch", "tqdm", "valkey", "yaml"}
)  # fmt: skip
# Types that the request's fields are declared with.
_TYPES: Final = frozenset(
    {"Annotated", "Day", "Int8", "Int16", "Int32", "Int64", "Literal", "Meta", "Moment", "bool", "float", "int", "str"}
)

Named = tuple[str, Span | None, str]


def reserved_names(system: System) -> Iterator[Diagnostic]:
    """Find names that would break generated code.

    A column `class` → E2012 with `kind_`: another name and `column: class`.
    """
    for name, span, cure in _names(system):
        if keyword.iskeyword(name):
            yield Diagnostic(code="E2012", what=f"`{name}` is a word of Python's", span=span, help=cure)
        elif "__" in name or name.endswith("_"):
            what = f"`{name}` has `__` in it or ends with `_`, which generated names use"
            yield Diagnostic(code="E2012", what=what, span=span, help=cure)
    for source in system.sources:
        for column in source.columns:
            if column.name in _TYPES:
                cure = f"give it another name, and say `column: {column.file_column or column.name}`"
                what = f"`{column.name}` is a type that requests are declared with"
                yield Diagnostic(code="E2012", what=what, span=column.span, help=cure)
    taken: tuple[TableGroup | DerivedGroup, ...] = (*system.tables, *system.derived)
    for stored in taken:
        names = {feature.name for feature in stored.features}
        for name in sorted({"count", "index"} & names):  # a stored row is a tuple, which has these
            what = f"`{name}` is a name that every stored row has itself"
            cure = f"give the column another name, and say `column: {name}`"
            help_ = cure if isinstance(stored, TableGroup) else f"the kind `{stored.kind}` has to name it otherwise"
            yield Diagnostic(code="E2012", what=what, span=stored.span, help=help_)
    yield from _same_but_for_case(system)
    yield from _models(system)


def _models(system: System) -> Iterator[Diagnostic]:
    for model in system.trained:
        what = None
        if model.name in _OURS:
            what = f"`{model.name}` is a name that every service uses itself"
        elif model.name.lower() in _SCRIPTS | _PACKAGES:
            what = f"the script of a model `{model.name}` would hide a module that training uses"
        if what is not None:
            yield Diagnostic(code="E2012", what=what, span=model.span, help="give the model another name")


def _same_but_for_case(system: System) -> Iterator[Diagnostic]:
    """Find two names that are one file where a file system does not tell capitals apart."""
    for kind, named in (
        ("sources", system.sources),
        ("feature groups", system.features),
        ("models", system.trained),
    ):
        seen: dict[str, str] = {}
        for one in named:
            former = seen.setdefault(one.name.lower(), one.name)
            if former != one.name:
                what = f"the {kind} `{former}` and `{one.name}` differ in capitals only"
                cure = "files are named by them: give one another name"
                yield Diagnostic(code="E2012", what=what, span=one.span, help=cure)


def _names(system: System) -> Iterator[Named]:
    for source in system.sources:
        yield source.name, source.span, "give the source another name"
        for column in source.columns:
            cure = f"give it another name, and say `column: {column.file_column or column.name}`"
            yield column.name, column.span, cure
    for group in system.features:
        yield group.name, group.span, "give the group another name"
        for feature in group.features:
            yield feature.name, feature.span, "give the feature another name"
    for model in system.trained:
        yield model.name, model.span, "give the model another name"
