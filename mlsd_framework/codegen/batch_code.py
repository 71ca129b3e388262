"""A script that runs a pipeline over candidates in batch: values are columns, files are the workspace's."""

from dataclasses import dataclass, field

from mlsd_framework.codegen.names import Names
from mlsd_framework.codegen.python import Call, Imports, Item, Raw, assigned, emit, literal
from mlsd_framework.codegen.row_code import row_value
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.serving import Endpoint, Value


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the past requests of a script is known: the user, the moment, and the key of what was retrieved.

    All are names of columns; a request without a moment has none. `likes` is a list among the values of a request that
    some of them say, by that name in the script.
    """

    user: str
    moment: str | None
    key: str
    likes: tuple[str, str] | None = None


@dataclass
class BatchCode:
    """One endpoint's pipeline in a script; `loads` make what its stages need.

    The script has `asked` with its `requests`, `history`, `request_ids` and the `catalogue`.
    """

    endpoint: Endpoint
    asked: Asked
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

    def name(self, thing: str, wanted: str) -> str:
        """Return the name of a thing in the script."""
        return self.names.of(thing, wanted)

    def own(self, thing: str, wanted: str) -> str:
        """Return the name of a constant of the script."""
        return self.names.constant(f"{self.endpoint.path}: {thing}", wanted)

    def declare(self, name: str, source: str, span: Span | None = None) -> None:
        """Put a constant above the pipeline, once."""
        self.declared.setdefault(name, f"\n{pointer(span)}\n{source}" if span else source)

    @property
    def depth(self) -> int:
        """How deep the lines of a stage are indented: in a function."""
        return 1

    def catalogue(self, entity: str) -> str:  # noqa: ARG002 - a script has the items that its endpoint retrieves
        """Return the name of the items that are retrieved."""
        return "catalogue"

    def later(self, entity: str, model: str) -> str | None:  # noqa: ARG002 - a script has the items of one moment
        """Return nothing: no item comes while a script runs."""
        return None

    def file(self, path: str) -> str:
        """Return the source of the path of a file of the workspace."""
        return f"workspace.root / {literal(path)}"

    def once(self, thing: str, wanted: str, made: Item) -> str:
        """Return the name of what the script makes before it runs the pipeline."""
        name = self.name(thing, wanted)
        self.loads.setdefault(name, "\n".join(assigned(name, made, 1)))
        return name

    def loaded(self, thing: str, wanted: str, function: str, path: str) -> str:
        """Return the name of what `function` makes of a file of the workspace."""
        return self.once(thing, wanted, Call(function, (Raw(self.file(path)),)))

    def value(self, value: Value | FeatureRef) -> str:
        """Return a column, a value of each candidate's request, or what a request has that leaves a value out."""
        defaults = dict(self.endpoint.defaults)
        if value.group is not None:
            return row_value(value.dotted)
        if value.name == self.asked.key:
            return "catalogue.keys_of(candidates.items)"
        if value.name == self.asked.moment:
            return "history.at[candidates.request_of]"
        if value.name == self.asked.user:
            return f"asked.requests[{literal(value.name)}].to_numpy()[candidates.request_of]"
        if self.asked.likes is not None and value.name == self.asked.likes[0]:
            return f"[{self.asked.likes[1]}[request] for request in candidates.request_of.tolist()]"
        return emit(defaults[value.name]) if value.name in defaults else row_value(value.dotted)
