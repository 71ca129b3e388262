"""`training/verify.py`: what is proved of a system, with the declarations and functions of the other scripts."""

from dataclasses import dataclass

from mlsd_framework.codegen.events_code import events_call, read_sources, used_sources
from mlsd_framework.codegen.expressions_python import to_python
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, assigned, given, literal
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.expressions import Column, columns
from mlsd_framework.ir.features import RequestGroup, StoredGroup, WindowGroup
from mlsd_framework.ir.fingerprint import fingerprint
from mlsd_framework.ir.retrieval import Outcome
from mlsd_framework.ir.system import System
from mlsd_framework.targets.training.candidates import candidate_sources, fitted_sources
from mlsd_framework.targets.training.dataset import example_sources, in_order

VERIFY = "mlsd_framework.runtime.verify"


@dataclass(frozen=True, slots=True)
class VerifyFile:
    """The context of `training/verify.py.j2`."""

    spec: str
    imports: str
    computed: list[str]
    loads: list[str]
    subject: list[str]


def is_provable(system: System) -> bool:
    """Say whether a system has something to prove: stored features, or a training set."""
    return bool(system.stored) or _has_examples(system)


def verify_file(system: System, spec: str) -> str:
    """Return the text of `training/verify.py`."""
    script = _Verify(system, ScriptNames(system), Imports())
    computed = script.computed() if _has_examples(system) else []
    sources = example_sources(system) if _has_examples(system) else used_sources(system)
    sources += [name for name in candidate_sources(system) if name not in sources]
    loads = [script.load(name) for name in sources]
    subject = assigned("subject", script.subject(sources), 1)
    script.ours("PROJECT", "WORKSPACE", "load")
    script.imports.add(VERIFY, "prove")
    return render(
        "training/verify.py.j2", VerifyFile(spec, "\n".join(script.imports.lines()), computed, loads, subject)
    )


def _has_examples(system: System) -> bool:
    return system.label is not None and bool(system.models)


@dataclass
class _Verify:
    """The script as it grows: its names and its imports."""

    system: System
    names: ScriptNames
    imports: Imports

    def ours(self, *names: str) -> None:
        """Import names from `features.py`, which stands beside the script."""
        self.imports.add("features", *names)

    def load(self, source: str) -> str:
        table = self.names.table(self.system.source(source))
        self.ours(table)
        return f"{self.names.frame(source)} = load({table}).collect()"

    def subject(self, sources: list[str]) -> Call:
        """Return the declaration of all that is proved."""
        self.imports.add(f"{VERIFY}.subject", "Log", "Subject")
        self.ours("FINGERPRINT")
        system = self.system
        named = given(
            system=system.name,
            definitions=fingerprint(system.sources, system.entities, system.features, system.label),
            features=Raw("FINGERPRINT"),
            logs=tuple(self.log(name) for name in sources),
            stored=tuple(self.stored(group) for group in system.stored) or None,
        )
        if system.outcome is not None:
            named += (("candidates", self.candidates(system.outcome)),)
        if _has_examples(system):
            named += (("examples", self.examples(sources)),)
            if in_order(system.computed):
                named += (("expressions", self.expressions()),)
        return Call("Subject", (), named)

    def log(self, name: str) -> Call:
        source = self.system.source(name)
        table, frame = Raw(self.names.table(source)), Raw(self.names.frame(name))
        return Call("Log", (table, frame), given(ingest_time=source.ingest_time))

    def stored(self, group: StoredGroup) -> Call:
        self.imports.add(f"{VERIFY}.subject", "Stored")
        declared = self.names.group(group)
        self.ours(declared)
        if not isinstance(group, WindowGroup):
            return Call("Stored", (Raw(declared), tuple(group.sources)))
        events = events_call(group, self.system, self.names)
        self.ours(events.name)
        live: tuple[tuple[str, Item], ...] = ()
        if group.live:
            self.ours("FEEDS")
            fed = list(dict.fromkeys(one.source for one in self.system.live))
            live = (("live", Raw(f"FEEDS[{fed.index(group.source)}].source")),)
        return Call("Stored", (Raw(declared), read_sources(group, self.system), Raw(events.name)), live)

    def examples(self, sources: list[str]) -> Call:
        label = self.system.label
        if label is None:
            raise LookupError(self.system.name)
        self.imports.add(f"{VERIFY}.subject", "Examples")
        self.imports.add("dataset", "examples")
        join = label.join if label.source != label.of else None
        named = given(
            make=Raw("examples"),
            reads=tuple(sources),
            source=label.of,
            label=label.name,
            labels=label.source,
            join=join,
        )
        return Call("Examples", (), named)

    def candidates(self, outcome: Outcome) -> Call:
        """Return the declaration of how examples of a ranker are made."""
        self.imports.add(f"{VERIFY}.subject", "Candidates")
        self.imports.add("dataset", "PARTS", "examples")
        named: tuple[tuple[str, Item], ...] = (
            ("make", Raw("examples")),
            ("reads", tuple(candidate_sources(self.system))),
            ("source", outcome.interactions.source),
            ("user", outcome.interactions.user),
            ("item", outcome.interactions.item),
            ("label", outcome.name),
            ("parts", Raw("PARTS")),
            ("fitted", fitted_sources(self.system)),
        )
        if outcome.shown is not None:
            self.imports.add(f"{VERIFY}.subject", "Shown")
            self.imports.add("dataset", "SHOWN")
            named += (("shown", Call("Shown", (outcome.shown.source, Raw("SHOWN")))),)
        return Call("Candidates", (), named)

    def expressions(self) -> Call:
        self.imports.add(f"{VERIFY}.subject", "Expressions", "Row")
        self.imports.add("dataset", "with_computed")
        outputs = [f"{group.name}.{one.name}" for group, one in in_order(self.system.computed)]
        inputs: dict[str, bool] = {}
        for group, one in in_order(self.system.computed):
            for column in columns(one.expression):
                name = _path(column, group)
                if name not in outputs:
                    inputs[name] = inputs.get(name, False) or column.type.nullable
        named = given(
            inputs=Mapping(tuple(inputs.items())),
            outputs=tuple(outputs),
            frame=Raw("with_computed"),
            request=Raw("at_request"),
        )
        return Call("Expressions", (), named)

    def computed(self) -> list[str]:
        """Return one line an expression, those that others use first."""
        lines: list[str] = []
        above: RequestGroup | None = None
        for group, one in in_order(self.system.computed):
            if group != above:
                lines.append(pointer(group.span))
            above = group
            code = to_python(one.expression, lambda column, group=group: f"row[{literal(_path(column, group))}]")  # type: ignore[misc] # a default that binds the group
            self.imports.add_lines(code.imports)
            target = f"row[{literal(f'{group.name}.{one.name}')}]"
            lines += assigned(target, Raw(code.text), 1)
        return lines


def _path(column: Column, group: RequestGroup) -> str:
    """Return what a column is called in the rows of the training set."""
    own = {one.name for one in group.computed}
    return f"{group.name}.{column.name}" if column.qualifier is None and column.name in own else column.path
