"""What is deployed though it does not hold."""

from dataclasses import dataclass
from datetime import date

from mlsd_framework.diagnostics.span import Span


@dataclass(frozen=True, slots=True)
class ProofOverride:
    """The proof may fail until the end of the day `until`, in UTC."""

    until: date
    reason: str
    span: Span | None = None
