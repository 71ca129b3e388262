"""Simulated data: what the compiler needs to know."""

from datetime import date
from typing import Any, Literal

from pydantic import Field

from mlsd_framework.ir.sources import Process
from mlsd_framework.spec.base import SpecModel
from mlsd_framework.spec.sources import SourceSpec

PROCESSES = {"cards": "mlsd_framework.runtime.data.simulate:write_cards"}


class CardsSpec(SpecModel):
    """The card-payment process of the Fraud Detection Handbook, with devices and rings in `extended`."""

    profile: Literal["handbook", "extended"] = Field("extended", description="`handbook` is the published process.")
    customers: int = Field(5000, ge=1, le=1_000_000, description="Cards, one a customer.")
    terminals: int = Field(10_000, ge=1, le=1_000_000, description="Terminals of merchants.")
    days: int = Field(183, ge=1, le=3660, description="Days of payments.")
    start: date = Field(date(2018, 4, 1), strict=False, description="The first day.")
    seed: int = Field(0, ge=0, description="Another seed, another world.")


class SimulatedSpec(SourceSpec):
    """A table that a seeded process makes."""

    kind: Literal["simulated"]
    process: Literal["cards"] = Field(description="The process.")
    table: str = Field(pattern=r"^[a-z_]{1,40}$", description="Which of the process's tables this source is.")
    settings: CardsSpec = Field(default_factory=CardsSpec, alias="with", description="The process's settings.")


class Simulated:
    """Tables that a process makes."""

    name = "simulated"
    spec = SimulatedSpec

    def origin(self, spec: Any) -> Process:
        """Return the process and its settings."""
        settings = tuple(spec.settings.model_dump(mode="json").items())
        return Process(spec.process, PROCESSES[spec.process], spec.table, settings)
