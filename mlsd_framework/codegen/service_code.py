"""The parts of a generated service that stages and models write into, each in its own place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from mlsd_framework.codegen import python as emitted
from mlsd_framework.codegen.expressions_python import to_python
from mlsd_framework.codegen.names import Names, path_name
from mlsd_framework.codegen.python import Call, Imports, Item, Raw, assigned, emit, given, literal
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.expressions import Column, Expression
from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.serving import Endpoint, Stage, Value

RUNTIME = "mlsd_framework.runtime"
SERVING = f"{RUNTIME}.serving"
OURS = frozenset(
    {
        "APP", "Aggregate", "Als", "Annotated", "Application", "Ask", "Bundle", "BuyAgain", "Call",
        "Candidates", "Cap", "Catalogue", "CompiledTrees", "DAY", "Day", "Decision", "Ease", "FEATURES",
        "FallbackError", "Feature", "FeatureColumn", "Feedback", "Given", "HOUR", "ItemItem", "ItemTable",
        "Limits", "Literal", "LiveItems", "Meta", "Moment", "NO_HISTORY", "NamedTuple", "OnlineStore",
        "OnnxModel", "Popularity", "Reason", "Recent", "Recommendations", "ResultCache", "Retrieval",
        "RowLayout", "Rule", "SECOND", "Service", "Slots", "Source", "Stage", "StateLayout", "Struct",
        "Thresholds", "Where", "WindowGroup", "action", "ages_of", "bentoml", "boosted", "bundle",
        "calibration", "call", "candidates", "capped", "codes_of", "days", "default_columns", "diversified",
        "entry_key", "epsilon_greedy", "expected_cost_ratio", "exposed", "feature_reasons", "field", "fired",
        "found", "frame_of", "freshened", "given", "history", "holds", "items", "kept", "key", "microseconds",
        "now", "np", "parallel", "pl", "posteriors_of", "read_columns", "reasons", "recently_interacted",
        "recommended", "remove", "request", "risk", "rule", "rule_reason", "seeds_of", "self", "sources",
        "spread", "sql", "stamp", "store_url", "thompson", "timedelta", "units_of", "unlogged",
    }
)  # fmt: skip
ATTRIBUTES = frozenset({"cache", "decide_on", "fall_back", "store", "version"})


@dataclass(frozen=True, slots=True)
class Followed:
    """Items that change while they are served: the files of the bundle they are loaded from, and what is owed.

    `recalls` has the models that find new ones, each with what its index has to find: the share of so many nearest.
    `conditions` is whether a retrieval reads a table of them, the second of the files.
    """

    files: tuple[str, ...]
    recalls: Mapping[str, tuple[float, int]]
    within: timedelta
    conditions: bool = False


@dataclass
class ServiceModule:
    """What the endpoints of one service share: imports, names, and declarations above the classes, once each.

    `followed` are the entities whose items change while they are served.
    """

    imports: Imports = field(default_factory=Imports)
    names: Names = field(default_factory=lambda: Names(OURS))
    declared: set[str] = field(default_factory=set)
    followed: Mapping[str, Followed] = field(default_factory=dict)


@dataclass
class ServiceCode:
    """One endpoint's code as it grows, stage by stage.

    `prefix` tells the constants of one endpoint from another's. `declarations` stand above the class; `init` are the
    lines that load what the stages need from the bundle; `body` is the pipeline; `fallback` the answer when a stage has
    fallen back, empty without one. `values` holds the source of every value of the flow. `candidates` is the key of
    what the pipeline has retrieved, `listed` the source of the items that there are, `ordered_by` the score that they
    stand in the order of, and `kept` the name of the stamp that tells whether a list made before is still good.
    `request_ids` is the source of the ids of the requests, of which there is one; `depth` how deep the lines of a stage
    are indented: in a `with`, in a method, in a class.
    """

    module: ServiceModule
    endpoint: Endpoint
    prefix: str = ""
    attributes: Names = field(default_factory=lambda: Names(ATTRIBUTES))
    declarations: list[str] = field(default_factory=list)
    init: dict[str, str] = field(default_factory=dict)
    body: list[str] = field(default_factory=list)
    fallback: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    layouts: list[str] = field(default_factory=list)
    live: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    candidates: str | None = None
    listed: str | None = None
    ordered_by: str | None = None
    kept: str | None = None
    request_ids: str = field(default="[call.request_id]", init=False)
    depth: int = field(default=3, init=False)

    def catalogue(self, entity: str) -> str:
        """Return the source of the items of an entity that the version has, which endpoints share."""
        if entity in self.module.followed:
            return f"{self.live_items(entity)}.catalogue"
        self.imports.add(f"{RUNTIME}.retrieval.catalogue", "Catalogue")
        attribute = self.attribute(f"catalogue of {entity}", "catalogue")
        path = literal(f"catalogues/{entity}.safetensors")
        self.init.setdefault(attribute, f"{attribute} = bundle.loaded(Catalogue.load, {path})")
        return attribute

    def live_items(self, entity: str) -> str:
        """Return the attribute that holds the items of an entity that change while they are served."""
        followed = self.module.followed[entity]
        self.imports.add(f"{RUNTIME}.retrieval.live_items", "LiveItems")
        attribute = self.attribute(f"items of {entity}", "items")
        load = "LiveItems.load_with_table" if followed.conditions else "LiveItems.load"
        loaded = Call("bundle.loaded", (Raw(load), *followed.files))
        recalls = emitted.Mapping(tuple(followed.recalls.items()))
        named = (("within", followed.within.total_seconds()), ("recalls", recalls))
        made = assigned(attribute, Call("APP.follow", (entity, loaded), named), 2)
        self.init.setdefault(attribute, "\n".join(made))
        return attribute

    def later(self, entity: str, model: str) -> str | None:
        """Return the source of what gives vectors of items that came after the version was made; none where none do."""
        if entity not in self.module.followed:
            return None
        if model in self.module.followed[entity].recalls:
            return f"items.towers[{literal(model)}].vectors_of"
        self.imports.add(f"{RUNTIME}.reranking.mmr", "unlike_all")
        return "unlike_all"

    @property
    def imports(self) -> Imports:
        """The imports of the service."""
        return self.module.imports

    def name(self, thing: str, wanted: str) -> str:
        """Return the name of a thing in the pipeline, or of what all endpoints share."""
        return self.module.names.of(thing, wanted)

    def class_name(self, thing: str, wanted: str) -> str:
        """Return the name of a class that all endpoints share."""
        return self.module.names.class_name(thing, wanted)

    def shared(self, thing: str, wanted: str) -> str:
        """Return the name of a constant that all endpoints share."""
        return self.module.names.constant(thing, wanted)

    def own(self, thing: str, wanted: str) -> str:
        """Return the name of a constant of this endpoint."""
        return self.module.names.constant(f"{self.endpoint.path}: {thing}", f"{self.prefix}{wanted}")

    def attribute(self, thing: str, wanted: str) -> str:
        """Return `self.name`, with a name that no other part of the endpoint has."""
        return f"self.{self.attributes.of(thing, wanted)}"

    def declare(self, name: str, source: str, span: Span | None = None) -> None:
        """Put `source` above the class, once a service, under a pointer to the line of the spec that it comes from."""
        if name not in self.module.declared:
            self.module.declared.add(name)
            self.declarations.append(f"{pointer(span)}\n{source}" if span else source)

    def stage(self, stage: Stage) -> str:
        """Declare the stage and return the name of its constant."""
        name = self.own(f"stage {stage.name}", f"{stage.name}_stage")
        self.imports.add(f"{SERVING}.call", "Stage")
        named = given(
            budget=stage.budget / timedelta(seconds=1) if stage.budget is not None else None,
            on_error=stage.on_error if stage.on_error != "fail" else None,
        )
        self.declare(name, f"{name} = {emit(Call('Stage', (stage.name,), named))}")
        self.stages.append(name)
        return name

    def run(self, stage: Stage, lines: list[str]) -> None:
        """Add the lines of a stage to the pipeline, timed, after a pointer to the spec."""
        name = self.stage(stage)
        self.body += ["", pointer(stage.span)]
        self.body.append(f"with call.stage({name}):")
        self.body += [f"    {line}" if line else "" for line in lines]
        if any(line.startswith("candidates = ") for line in lines):
            self.body.append("    call.left(len(candidates.items))")

    def default(self, stage: Stage, **values: str) -> None:
        """Give what the stage writes a value before it, where the pipeline goes on without it."""
        if goes_on(stage) and values:
            self.body += [""] if self.body and self.body[-1] else []
            self.body += [f"{name} = {value}" for name, value in values.items()]

    def file(self, path: str) -> str:
        """Return the source of the path of a file of the bundle."""
        return f"bundle.file({literal(path)})"

    def once(self, thing: str, wanted: str, made: Item) -> str:
        """Return the attribute that holds what the endpoint makes once, when it loads the version."""
        attribute = self.attribute(thing, wanted)
        self.init.setdefault(attribute, "\n".join(assigned(attribute, made, 2)))
        return attribute

    def loaded(self, thing: str, wanted: str, function: str, path: str) -> str:
        """Return the attribute that holds what `function` makes of a file of the bundle."""
        return self.once(thing, wanted, Call(function, (Raw(self.file(path)),)))

    def value(self, value: Value | FeatureRef) -> str:
        """Return the source of a value that the request or a stage before has given."""
        return self.values[value.dotted]

    def expression(self, expression: Expression) -> str:
        """Return the source of an expression over the values."""
        code = to_python(expression, self.column)
        self.imports.add_lines(code.imports)
        return code.text

    def column(self, column: Column) -> str:
        """Return the source of a column."""
        return self.values[column.path]


def goes_on(stage: Stage) -> bool:
    """Say whether the pipeline goes on without the stage where it fails."""
    return stage.on_error in ("default", "skip")


def endpoint_prefix(endpoint: Endpoint, several: bool) -> str:  # noqa: FBT001 - a fact of the system
    """Return what an endpoint's constants begin with: nothing where it is the only one."""
    return f"{path_name(endpoint.path)}_" if several else ""


def printable(path: str) -> str:
    """Return a spec's path as it can stand in a comment or a text: letters, digits, a few signs, and no `:`."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "._-/ ") else "?" for char in path)


def pointer(span: Span | None) -> str:
    """Return the comment that points from generated code to the spec."""
    if span is None:
        return "# from the spec"
    if span.path.startswith("--set "):  # a place on the command line, and its text with it
        return "# from --set"
    return f"# from {printable(span.path)}:{span.line}"
