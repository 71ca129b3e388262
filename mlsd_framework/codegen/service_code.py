"""The parts of a generated service that stages and models write into, each in its own place."""


from dataclasses import dataclass, field

from mlsd_framework.codegen.expressions_python import to_python
from mlsd_framework.codegen.python import Call, Imports, emit, identifier
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.expressions import Column, Expression
from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.serving import Stage, Value

RUNTIME = "mlsd_framework.runtime"
SERVING = f"{RUNTIME}.serving"


@dataclass
class ServiceCode:
    """One endpoint's code as it grows, stage by stage.

    `module` are declarations above the class, by name and once each; `init` the lines that load what the stages need
    from the bundle; `body` the pipeline; `fallback` the answer when a stage has fallen back, empty without one.
    """

    imports: Imports
    module: dict[str, str] = field(default_factory=dict)
    init: dict[str, str] = field(default_factory=dict)
    body: list[str] = field(default_factory=list)
    fallback: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    def declare(self, name: str, source: str, span: Span | None = None) -> None:
        """Put `source` above the class, under a pointer to the line of the spec that it comes from."""
        self.module.setdefault(name, f"{pointer(span)}\n{source}" if span else source)

    def stage(self, stage: Stage) -> str:
        """Declare the stage and return the name of its constant."""
        name = f"{identifier(stage.name).upper()}_STAGE"
        self.imports.add(f"{SERVING}.call", "Stage")
        named = (("budget", stage.budget.total_seconds()),) if stage.budget is not None else ()
        named += (("on_error", stage.on_error),) if stage.on_error != "fail" else ()
        self.declare(name, f"{name} = {emit(Call('Stage', (stage.name,), named))}")
        self.stages.append(name)
        return name

    def run(self, stage: Stage, lines: list[str]) -> None:
        """Add the lines of a stage to the pipeline, timed, after a pointer to the spec.

        Where the pipeline goes on without the stage, what it writes is none first.
        """
        name = self.stage(stage)
        self.body += ["", pointer(stage.span)]
        self.body.append(f"with call.stage({name}):")
        self.body += [f"    {line}" if line else "" for line in lines]

    def default(self, *names: str) -> None:
        """Let `names` be none before the next stage, which may be left out."""
        self.body += [""] if self.body and self.body[-1] else []
        self.body += [f"{name} = None" for name in names]

    def value(self, value: Value | FeatureRef) -> str:
        """Return the source of a value that the request or a stage before has given."""
        return self.values[value.dotted]

    def expression(self, expression: Expression) -> str:
        """Return the source of an expression over the values."""
        code = to_python(expression, self.column)
        for line in code.imports:
            module, _, name = line.removeprefix("from ").partition(" import ")
            self.imports.add(module, name)
        return code.text

    def column(self, column: Column) -> str:
        """Return the source of a column."""
        return self.values[column.path]


def pointer(span: Span | None) -> str:
    """Return the comment that points from generated code to the spec; the path is printed as ASCII."""
    if span is None:
        return "# from the spec"
    path = "".join(char if char.isascii() and char.isprintable() else "?" for char in span.path)
    return f"# from {path}:{span.line}"


