"""`override`: what is deployed though it does not hold, until when and why."""

from datetime import date

from pydantic import Field

from mlsd_framework.spec.base import SpecModel


class ProofOverrideSpec(SpecModel):
    """Deploy though the proof fails, for a while."""

    until: date = Field(strict=False, description="The last day, in UTC, on which it counts.")
    reason: str = Field(min_length=1, max_length=500, description="Why; `deploy` repeats it each time.")


class OverrideSpec(SpecModel):
    """Promises that the system need not keep for a while; each override ends by itself."""

    proof: ProofOverrideSpec | None = Field(None, description="What `mlsd verify` proves.")
