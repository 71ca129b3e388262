"""One fault, as data; printing it is another module's job."""

from dataclasses import dataclass
from typing import Literal

from mlsd_framework.diagnostics.span import Span

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """What is at fault, where, what was expected and what to write instead.

    `code` is a key of `codes.CODES`. `what` is one sentence in the present tense, paths and
    names in backticks. `expected` and `help` complete "expected: …" and "help: …". `secret` says that
    the text at the place must not be shown.
    """

    code: str
    what: str
    severity: Severity = "error"
    span: Span | None = None
    expected: str | None = None
    help: str | None = None
    notes: tuple[str, ...] = ()
    secret: bool = False
