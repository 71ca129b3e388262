"""One expression on its way from sqlglot's nodes to ours: places, faults, and the table that is followed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Never, TypeVar

from sqlglot import exp
from sqlglot.tokens import Token  # type: ignore[attr-defined]  # its public home

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.lower.expression_scope import Scope
from mlsd_framework.lower.expression_types import TypeFault
from mlsd_framework.lower.scalar_places import Place

T = TypeVar("T")
Handler = Callable[["Lowering", Any], Expression | None]


@dataclass(slots=True)
class Lowering:
    """One expression on its way: where it stands, what it may name, and the faults found so far.

    Each method takes a node of sqlglot's and returns ours, or None when a fault below was reported.
    """

    text: str
    scope: Scope
    place: Place
    tokens: list[Token]
    table: Mapping[type[exp.Expr], Handler]
    faults: list[Diagnostic] = field(default_factory=list)

    def whole(self, tree: exp.Expr) -> Expression | None:
        """Lower the root, which has to have a type."""
        found = self.lower(tree)
        if found is not None and found.type.name == "null":
            return self.fault(
                "E2053", "the expression is always null", self.everything(), help="write `cast(null as float64)`"
            )
        return None if self.faults else found

    def lower(self, node: exp.Expr) -> Expression | None:
        """Lower one node by the table."""
        handler = self.table.get(type(node))
        if handler is None:
            return self._refuse(node)
        return handler(self, node)

    def all(self, nodes: Sequence[exp.Expr]) -> list[Expression] | None:
        """Lower several, so that each one's faults are found; None where one has any."""
        found = [self.lower(node) for node in nodes]
        good = [one for one in found if one is not None]
        return good if len(good) == len(found) else None

    def fault(
        self,
        code: str,
        what: str,
        span: Span | None,
        *,
        expected: str | None = None,
        help: str | None = None,  # noqa: A002 - the field's name
    ) -> Never | None:  # noqa: RUF020 - None as a value, for the caller to return
        """Add a fault; always None, for the caller to return."""
        self.faults.append(Diagnostic(code=code, what=what, span=span, expected=expected, help=help))
        return None

    def checked(self, found: T | TypeFault, span: Span | None) -> T | None:
        """Report a type fault at a place, pass on anything else."""
        if isinstance(found, TypeFault):
            return self.fault(found.code, found.what, span, help=found.help)
        return found

    def everything(self) -> Span | None:
        """Return the place of the whole expression."""
        return self.place.locate(self.text, 0, len(self.text))

    def span_of(self, node: exp.Expr) -> Span | None:
        """Return the place of what a node of sqlglot's was made from, as far as it kept it."""
        if (start := node.meta.get("start")) is not None and node.key in ("literal", "boolean", "null", "identifier"):
            return self.place.locate(self.text, start, node.meta["end"] + 1)
        starts, ends = [], []
        for part in node.walk():
            if (start := part.meta.get("start")) is not None:
                starts.append(start)
                ends.append(part.meta["end"] + 1)
        return self.place.locate(self.text, min(starts), max(ends)) if starts else self.everything()

    def _refuse(self, node: exp.Expr) -> Never | None:  # noqa: RUF020 - None as a value, for the caller to return
        if isinstance(node, exp.Star):
            return self.fault("E2056", "`*` stands for all columns only in an aggregate", self.span_of(node))
        if isinstance(node, exp.Tuple):
            return self.fault("E2056", "a list of values stands only after `in`", self.span_of(node))
        name = type(node).__name__.lower()
        return self.fault("E2056", f"`{name}` is not part of the expression language", self.span_of(node))


def joined(*spans: Span | None) -> Span | None:
    """Return the stretch from the first place to the last."""
    known = [span for span in spans if span is not None]
    if not known:
        return None
    first = min(known, key=lambda s: (s.line, s.column))
    last = max(known, key=lambda s: (s.end_line, s.end_column))
    return Span(first.path, first.line, first.column, last.end_line, last.end_column)
