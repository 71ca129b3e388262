"""What a failed proof leads to: no deployment, but under a dated override of the spec."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.plan.stages import Verify

FINDINGS = frozenset({"E6701", "E6702", "E6703"})
"""What a proof finds; any other fault is of the script that makes it."""


def today() -> date:
    """Return the day on which overrides are looked at, in UTC."""
    return datetime.now(UTC).date()


def refuse_unproved(stage: Verify, fault: RunError, day: date) -> str:
    """Return until when the failure of a proof is overridden; raise it with E5023 or E5024 where it is not.

    A proof that could not be made (its script broke) is overridden as well: nothing is proved either way.
    """
    if stage.until is None:
        raise RunError([*fault.diagnostics, *_refusal("E5023", "the proof fails, and nothing overrides it")]) from fault
    if day > date.fromisoformat(stage.until):
        what = f"the proof fails, and its override ended on {stage.until}"
        raise RunError([*fault.diagnostics, *_refusal("E5024", what)]) from fault
    return stage.until


def _refusal(code: str, what: str) -> Iterable[Diagnostic]:
    return RunError.of(
        code,
        what,
        help="mend it; or, for a while, write `override: {proof: {until: DATE, reason: WHY}}`",
        notes=("the report is `proof.html` in the system's folder below `.mlsd/`",),
    ).diagnostics
