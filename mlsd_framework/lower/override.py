"""Lower `override`: which promises need not hold, until when."""

from mlsd_framework.ir.override import ProofOverride
from mlsd_framework.lower.context import Context
from mlsd_framework.spec.override import OverrideSpec


def lower_override(spec: OverrideSpec, context: Context) -> ProofOverride | None:
    """Return the override of the proof, or none. Its end is looked at when the system is deployed, not here."""
    if spec.proof is None:
        return None
    return ProofOverride(spec.proof.until, spec.proof.reason, context.span(("override", "proof"), key=True))
