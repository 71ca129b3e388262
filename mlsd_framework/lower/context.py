"""What every lowering step shares: places, kinds, and the faults found so far."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.ir.types import DataType
from mlsd_framework.lower.expressions import Scope, lower_expression
from mlsd_framework.lower.scalar_places import Place
from mlsd_framework.lower.types import TYPE_NAMES, parse_type
from mlsd_framework.spec.base import ExpressionText
from mlsd_framework.spec.loading import Loc, Overlays

_MOST: Final = 30  # names in a message
# Names that several places can use, and faults that follow from a name without a type.
_NAMES: Final = ("E2001", "E2002", "E2004", "E2005", "E2006")
_TYPES: Final = ("E2053", "E2054", "E2055", "E2059")


@dataclass
class Context:
    """The layers of the spec, and a growing list of faults; a step reports and goes on."""

    layers: Overlays
    faults: list[Diagnostic] = field(default_factory=list)
    named: dict[tuple[str, str], list[Diagnostic]] = field(default_factory=dict)

    def span(self, at: Loc, *, key: bool = False) -> Span:
        """Return the place of the value at `at`, or of its key."""
        return self.layers.place(at, key=key)

    def report(
        self,
        code: str,
        what: str,
        at: Loc,
        *,
        key: bool = False,
        expected: str | None = None,
        help: str | None = None,  # noqa: A002 - the field's name
        notes: tuple[str, ...] = (),
    ) -> None:
        """Add a fault at the value, or at its key."""
        self.faults.append(
            Diagnostic(code=code, what=what, span=self.span(at, key=key), expected=expected, help=help, notes=notes)
        )

    def unknown(
        self,
        code: str,
        what: str,
        at: Loc,
        name: str,
        known: Iterable[str],
        *,
        place: Span | None = None,
        once: str = "",
    ) -> None:
        """Add a fault about a name that is not declared, with the nearest that is.

        A name that stands in several places is one fault: the first place, and a note of each other; `once` says what
        the name is to, where names are told apart by more than the code.
        """
        names = sorted(set(known))
        near = nearest(name, names)
        expected = f"one of: {', '.join(names[:_MOST])}{', …' if len(names) > _MOST else ''}" if names else None
        self.faults.append(
            Diagnostic(
                code=code,
                what=what,
                span=place or self.span(at),
                expected=expected,
                help=f"did you mean `{near}`?" if near else None,
            )
        )
        if code in _NAMES or once:
            self.named.setdefault((code, f"{once}.{name}"), []).append(self.faults[-1])

    def expression(self, text: ExpressionText, at: Loc, scope: Scope) -> Expression | None:
        """Lower the expression written at `at`; its faults are reported inside its text."""
        written = str(text).lower() if isinstance(text, bool) else str(text)
        return self.typed(written, scope, self.text_place(at))

    def typed(self, text: str, scope: Scope, place: Place) -> Expression | None:
        """Lower an expression; what is wrong only because a name in it is itself at fault is not reported."""
        before, echoes = len(self.faults), getattr(scope, "echoes", 0)
        found = lower_expression(text, scope, place, self.faults)
        if getattr(scope, "echoes", 0) > echoes:
            self.faults[before:] = [fault for fault in self.faults[before:] if fault.code not in _TYPES]
        return found

    def collected(self) -> list[Diagnostic]:
        """Return the faults, those of one undeclared name as one."""
        faults = list(self.faults)
        for group in self.named.values():
            ordered = sorted(group, key=lambda fault: (fault.span is None, fault.span))
            others = tuple(f"also named at {fault.span}" for fault in ordered[1:])
            if others:
                faults = [fault for fault in faults if not any(fault is one for one in ordered[1:])]
                index = next(index for index, fault in enumerate(faults) if fault is ordered[0])
                faults[index] = replace(ordered[0], notes=(*ordered[0].notes, *others))
        return faults

    def text_place(self, at: Loc) -> Place:
        """Return the map from offsets in the text at `at` to places in the file."""
        node = self.layers.scalar(at)
        raw = None if node is None else self.layers.document.text[node.start_mark.index : node.end_mark.index]
        return Place(self.span(at), raw)

    def type(self, text: str, unit: str | None, at: Loc) -> DataType | None:
        """Read a type as the spec writes it, with the unit that stands beside it."""
        found = parse_type(text)
        if found is None:
            self.unknown("E2034", f"`{text}` is not a type", at, text.rstrip("?"), TYPE_NAMES)
            return None
        if unit is None or not found.numeric:
            if unit is not None:
                self.report("E2032", f"a unit means nothing for the type `{text}`", at, expected="a number")
            return found
        return replace(found, unit=unit)
