"""A script that runs a pipeline over candidates in batch: values are columns, files are the workspace's."""

from dataclasses import dataclass, field

from mlsd_framework.codegen.names import Names
from mlsd_framework.codegen.python import Imports, emit, literal
from mlsd_framework.codegen.row_code import row_value
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.serving import Endpoint, Value


@dataclass
class BatchCode:
    """One endpoint's pipeline in a script; `loads` load what its stages need."""

    endpoint: Endpoint
    imports: Imports
    names: Names
    loads: dict[str, str] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)

    @property
    def declarations(self) -> list[str]:
        """The constants above the pipeline."""
        return list(self.declared.values())

    @property
    def request_ids(self) -> str:
        """The source of the ids of the requests."""
        return "request_ids"

    @property
    def history(self) -> str:
        """The source of the histories of the requests."""
        return "asked.history"

    def name(self, thing: str, wanted: str) -> str:
        """Return the name of a thing in the script."""
        return self.names.of(thing, wanted)

    def own(self, thing: str, wanted: str) -> str:
        """Return the name of a constant of the script."""
        return self.names.constant(f"{self.endpoint.path}: {thing}", wanted)

    def declare(self, name: str, source: str, span: Span | None = None) -> None:
        """Put a constant above the pipeline, once."""
        self.declared.setdefault(name, f"{pointer(span)}\n{source}" if span else source)

    def loaded(self, thing: str, wanted: str, function: str, path: str) -> str:
        """Return the name of what `function` makes of a file of the workspace."""
        name = self.name(thing, wanted)
        self.loads.setdefault(name, f"{name} = {function}(workspace.root / {literal(path)})")
        return name

    def value(self, value: Value | FeatureRef) -> str:
        """Return a column, or what a request has that leaves a value out."""
        defaults = dict(self.endpoint.defaults)
        if value.group is None and value.name in defaults:
            return emit(defaults[value.name])
        return row_value(value.dotted)
