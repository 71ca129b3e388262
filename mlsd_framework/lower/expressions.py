"""Expression text into typed nodes: parse, resolve names, check types and units; every fault is collected."""

from typing import TYPE_CHECKING

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.lower.expression_scope import NameScope, Scope
from mlsd_framework.lower.scalar_places import Place

if TYPE_CHECKING:
    from mlsd_framework.lower.sql_syntax import SyntaxFault


def lower_expression(text: str, scope: Scope, place: Place, faults: list[Diagnostic]) -> Expression | None:
    """Return the typed expression that `text` means; None after adding to `faults` what is wrong with it.

    `amount / nullif(card.mean, 0)` → Binary("/", Column(amount), Call(nullif, …)), with `float64?` as its type.
    """
    # The parser costs 40 ms to import; a spec without expressions does not pay.
    from mlsd_framework.lower.expression_lowering import Lowering  # noqa: PLC0415 - as above
    from mlsd_framework.lower.expression_tree import TABLE  # noqa: PLC0415 - as above
    from mlsd_framework.lower.sql_syntax import SyntaxFault, parse  # noqa: PLC0415 - as above

    parsed = parse(text)
    if isinstance(parsed, SyntaxFault):
        faults.append(_syntax_diagnostic(parsed, text, place))
        return None
    lowering = Lowering(text=text, scope=scope, place=place, tokens=parsed.tokens, table=TABLE)
    found = lowering.whole(parsed.tree)
    faults.extend(lowering.faults)
    return found


def _syntax_diagnostic(fault: "SyntaxFault", text: str, place: Place) -> Diagnostic:
    span = place.locate(text, fault.start, fault.end)
    return Diagnostic(code=fault.code, what=fault.what, span=span, help=fault.help)


__all__ = ["NameScope", "Scope", "lower_expression"]
