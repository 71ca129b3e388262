"""Names that become Python identifiers and files must not be taken already."""

import keyword
import sys
from collections.abc import Iterator
from typing import Final

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.system import System

# Names that the generated service uses itself.
_OURS: Final = frozenset(
    {"action", "bundle", "call", "request", "reasons", "risk", "self", "sql", "store", "version", "degraded", "score"}
)
# Files beside `training/<model>.py`, and packages that they import: a script of that name would stand in their way.
_SCRIPTS: Final = frozenset({"features", "dataset", "evaluate"})
_PACKAGES: Final = frozenset(
    {"alembic", "attr", "bentoml", "catboost", "feast", "graphviz", "imblearn", "jinja2", "joblib", "matplotlib",
     "mlflow", "mlsd_framework", "msgspec", "narwhals", "numba", "numpy", "onnx", "onnxruntime", "optuna", "packaging",
     "pandas", "plotly", "polars", "psutil", "pyarrow", "safetensors", "scipy", "six", "skl2onnx", "sklearn",
     "sqlalchemy", "threadpoolctl", "torch", "tqdm", "valkey", "yaml"}
)  # fmt: skip
# Types that the request's fields are declared with.
_TYPES: Final = frozenset({"Annotated", "Day", "Literal", "Meta", "Moment", "bool", "float", "int", "str"})

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
    for model in system.models:
        why = None
        if model.name in _OURS:
            why = "a name that every service uses itself"
        elif model.name.lower() in _SCRIPTS:
            why = "the name of another training script"
        elif model.name.lower() in _PACKAGES | sys.stdlib_module_names:
            why = "the name of a Python module, in whose way its training script would stand"
        if why is not None:
            what = f"`{model.name}` is {why}"
            yield Diagnostic(code="E2012", what=what, span=model.span, help="give the model another name")


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
    for model in system.models:
        yield model.name, model.span, "give the model another name"
