"""What a spec file may be at most, checked on YAML's event stream before anything is composed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.diagnostics.span import Span

MAX_BYTES: Final = 1_000_000
MAX_SCALAR: Final = 50_000
MAX_DEPTH: Final = 40
MAX_NODES: Final = 50_000
MAX_ALIASES: Final = 200

_FORBIDDEN: Final = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\r(?!\n)")
_CURES: Final = {
    "cannot start any token": "indent with blanks, not tabs; put text that begins with `@` or `%` in quotes",
    "mapping values are not allowed": "put text that holds `: ` in quotes, or look at the indentation",
    "unexpected end of stream": "close the quote",
    "expected ',' or ']'": "close the bracket",
    "expected ',' or '}'": "close the brace",
    "undefined alias": "anchor the value with `&name` before it is used",
}

# libyaml's C parser where PyYAML was built with it, which its wheels are.
LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def span_of(path: str, start: Any, end: Any) -> Span:
    """Turn two YAML marks (counted from 0) into a span."""
    return Span(path, start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def check_size(path: str, size: int) -> None:
    """Refuse a file larger than `MAX_BYTES` before it is read."""
    if size > MAX_BYTES:
        raise SpecError(
            Diagnostic(
                code="E1001",
                what=f"the file has {size:,} bytes",
                span=Span(path, 1, 1, 1, 1),
                expected=f"at most {MAX_BYTES:,} bytes",
            )
        )


def check_events(text: str, path: str) -> None:
    """Walk the event stream of `text` and raise a `SpecError` at the first broken limit.

    The walk keeps a counter of nodes an anchor stands for, so that aliases of aliases (the
    "billion laughs") count with all that they would expand to.
    """
    check_characters(text, path)
    scan = _Scan(path)
    for event in _events(text, path):
        scan.take(event)


def check_characters(text: str, path: str) -> None:
    """Refuse the first character that YAML forbids, such as NUL, or that would put every later line's number out."""
    found = _FORBIDDEN.search(text)
    if found is None:
        return
    line = text.count("\n", 0, found.start()) + 1
    column = found.start() - text.rfind("\n", 0, found.start())
    why = "ends lines in YAML and in few editors" if found[0] in "\r\x85\u2028\u2029" else "YAML does not allow"
    what = f"the file holds the character U+{ord(found[0]):04X}, which {why}"
    raise SpecError(Diagnostic(code="E1002", what=what, span=Span(path, line, column, line, column + 1)))


def _events(text: str, path: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=LOADER)
    except yaml.MarkedYAMLError as fault:
        raise SpecError(syntax_fault(fault, path, text)) from None
    except (yaml.YAMLError, ValueError) as fault:
        what = f"the file is not YAML: {str(fault).splitlines()[0]}"
        raise SpecError(Diagnostic(code="E1002", what=what, span=Span(path, 1, 1, 1, 1))) from None


def syntax_fault(fault: yaml.MarkedYAMLError, path: str, text: str) -> Diagnostic:
    """Say where and why a text is not YAML; what is missing at its end is missing on its last line."""
    mark = fault.problem_mark or fault.context_mark
    rows = text.rstrip().split("\n")
    span = span_of(path, mark, mark) if mark else Span(path, 1, 1, 1, 1)
    if span.line > len(rows):
        span = Span(path, len(rows), len(rows[-1]) + 1, len(rows), len(rows[-1]) + 1)
    problem = str(fault.problem)
    begun = fault.context_mark
    started = f"{fault.context}, which begins at {span_of(path, begun, begun)}" if fault.context and begun else None
    return Diagnostic(
        code="E1002",
        what=f"the file is not YAML: {problem}",
        span=span,
        help=next((cure for sign, cure in _CURES.items() if sign in problem), None),
        notes=(started,) if started and begun and begun.line != (mark or begun).line else (),
    )


@dataclass(slots=True)
class _Open:
    """A collection that has begun: its anchor, the nodes before it, the height of what is in it."""

    anchor: str | None
    before: int
    height: int = 0


class _Scan:
    """Depth, nodes and aliases seen so far."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.depth = 0
        self.nodes = 0
        self.aliases = 0
        self.documents = 0
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[int, int]] = {}

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):  # most events are; a file of 50,000 of them is walked in no time
            self.nodes += 1
            odd = event.tag is not None or event.value == "<<" or len(event.value) > MAX_SCALAR
            if odd or self.nodes > MAX_NODES:
                self.scalar(event)
            return
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    self.refuse(event, "E1006", "the file holds a second document", "one document a file")
            case yaml.AliasEvent():
                self.alias(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self.tagged(event)
                self.grow(event, 1)
                self.open.append(_Open(event.anchor, self.nodes))
                self.rise(event, 0)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self.close()
            case _:
                pass

    def scalar(self, event: Any) -> None:
        self.grow(event, 0)
        self.tagged(event)
        if event.value == "<<" and not event.style:
            what = "merge keys (`<<`) are not part of the language"
            self.refuse(event, "E1007", what, "an alias of a whole value")
        if len(event.value) > MAX_SCALAR:
            what = f"a value has {len(event.value):,} characters"
            self.refuse(event, "E1001", what, f"at most {MAX_SCALAR:,} characters")

    def alias(self, event: Any) -> None:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            self.refuse(event, "E1005", f"the file has more than {MAX_ALIASES} aliases", None)
        if any(one.anchor == event.anchor for one in self.open):
            self.refuse(event, "E1005", f"the alias `*{event.anchor}` stands inside its own anchor", None)
        nodes, height = self.anchors.get(event.anchor, (1, 0))
        self.grow(event, nodes)
        self.rise(event, height)

    def close(self) -> None:
        done = self.open.pop()
        height = done.height + 1
        if self.open:
            self.open[-1].height = max(self.open[-1].height, height)
        if done.anchor is not None:
            self.anchors[done.anchor] = (self.nodes - done.before + 1, height)

    def rise(self, event: Any, height: int) -> None:
        """Refuse what would nest too deep, aliases followed; note the height in what is open."""
        if len(self.open) + height > MAX_DEPTH:
            self.refuse(event, "E1003", f"values are nested more than {MAX_DEPTH} deep", None)
        if self.open:
            self.open[-1].height = max(self.open[-1].height, height)

    def grow(self, event: Any, by: int) -> None:
        self.nodes += by
        if self.nodes > MAX_NODES:
            self.refuse(event, "E1004", f"the file holds more than {MAX_NODES:,} values", None)

    def tagged(self, event: Any) -> None:
        if event.tag is not None and event.tag != "!":
            self.refuse(
                event, "E1008", f"the tag `{event.tag}` is not part of the language", "plain values without tags"
            )

    def refuse(self, event: Any, code: str, what: str, expected: str | None) -> None:
        span = span_of(self.path, event.start_mark, event.end_mark)
        raise SpecError(Diagnostic(code=code, what=what, span=span, expected=expected))
