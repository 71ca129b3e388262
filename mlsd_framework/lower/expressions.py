"""Expression text into typed nodes: parse, resolve names, check types and units; every fault is collected."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.ir.types import DataType
from mlsd_framework.lower.scalar_places import Place

if TYPE_CHECKING:
    from mlsd_framework.lower.sql_syntax import SyntaxFault

_MOST_NAMES = 12


class Scope(Protocol):
    """The names that an expression may use."""

    def lookup(self, qualifier: str | None, name: str) -> DataType | None:
        """Return the type of `qualifier.name`, or of the bare name; None where it is not in sight."""
        ...

    def names(self) -> Iterable[str]:
        """Yield every name in sight as the spec writes it, for suggestions."""
        ...


@dataclass(frozen=True, slots=True)
class NameScope:
    """A scope from names as the spec writes them (`amount`, `card_activity.spend_7d`) to types."""

    types: Mapping[str, DataType]

    def lookup(self, qualifier: str | None, name: str) -> DataType | None:
        """Return the type of the name."""
        return self.types.get(name if qualifier is None else f"{qualifier}.{name}")

    def names(self) -> Iterable[str]:
        """Yield every name."""
        return self.types.keys()


def lower_expression(text: str, scope: Scope, place: Place, faults: list[Diagnostic]) -> Expression | None:
    """Return the typed expression that `text` means; None after adding to `faults` what is wrong with it.

    `amount / nullif(card.mean, 0)` → Binary("/", Column(amount), Call(nullif, …)), with `float64?` as its type.
    """
    # The parser costs 40 ms to import; a spec without expressions does not pay.
    from mlsd_framework.lower.expression_tree import Lowering  # noqa: PLC0415
    from mlsd_framework.lower.sql_syntax import SyntaxFault, parse  # noqa: PLC0415

    parsed = parse(text)
    if isinstance(parsed, SyntaxFault):
        faults.append(_syntax_diagnostic(parsed, text, place))
        return None
    lowering = Lowering(text=text, scope=scope, place=place, tokens=parsed.tokens)
    found = lowering.whole(parsed.tree)
    faults.extend(lowering.faults)
    return found


def _syntax_diagnostic(fault: "SyntaxFault", text: str, place: Place) -> Diagnostic:
    span = place.locate(text, fault.start, fault.end)
    return Diagnostic(code=fault.code, what=fault.what, span=span, help=fault.help)


def unknown_column(path: str, scope: Scope) -> tuple[str | None, str | None]:
    """Return what was expected in place of an unknown name, and what to do about it."""
    names = sorted(scope.names())
    near = nearest(path, names)
    if near is None and "." not in path:
        near = nearest(path, (name for name in names if name.endswith(f".{path}")))
    expected = f"one of: {', '.join(names)}" if 0 < len(names) <= _MOST_NAMES else None
    return expected, f"did you mean `{near}`?" if near else None
