"""A script that runs a pipeline over candidates in batch, as it grows: values are columns, files are the workspace's."""

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
    """One endpoint's pipeline in a script; `loads` are the lines that load what its stages need, `declarations` stand above."""

    endpoint: Endpoint
    imports: Imports
    names: Names
    loads: dict[str, str] = field(default_factory=dict)
    declarations: list[str] = field(default_factory=list)

    @property
    def request_ids(self) -> str:
        """The source of the ids of the requests."""
        return "request_ids"

    def name(self, thing: str, wanted: str) -> str:
        """Return the name of a thing in the script."""
        return self.names.of(thing, wanted)

    def own(self, thing: str, wanted: str) -> str:
        """Return the name of a constant of the script."""
        return self.names.constant(f"{self.endpoint.path}: {thing}", wanted)

    def declare(self, name: str, source: str, span: Span | None = None) -> None:
        """Put a constant above the pipeline, once."""
        text = f"{pointer(span)}\n{source}" if span else source
        if text not in self.declarations:
            self.declarations.append(text)

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
