"""What a simulation gives, and writing it to a folder of Parquet files that say that they are simulated."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from mlsd_framework.runtime.atomic import replacing, write_text
from mlsd_framework.runtime.data.simulate.settings import CardSimulation

STATEMENT = "Simulated card payments; no person, card or merchant is real."
NOTE = "simulation.json"
_ROWS_IN_A_GROUP = 262_144


@dataclass(frozen=True, slots=True)
class Simulated:
    """The frames of a simulation.

    payments     payment_id, ts, card_id, terminal_id, amount (EUR), currency, device_id, merchant_category, country,
                 channel; ordered by ts, numbered in that order; without any label
    chargebacks  the verdict on every payment: payment_id, reported_at, card_id, terminal_id, is_fraud, scenario
    customers    card_id, x, y, home_country, mean_amount, daily_payments, terminals_in_reach, device_id,
                 second_device_id
    terminals    terminal_id, x, y, country, merchant_category
    compromises  who was in fraudsters' hands from when to when (half-open); the truth, never a feature
    """

    settings: CardSimulation
    payments: pl.DataFrame
    chargebacks: pl.DataFrame
    customers: pl.DataFrame
    terminals: pl.DataFrame
    compromises: pl.DataFrame

    def frames(self) -> dict[str, pl.DataFrame]:
        """Return the frames by name."""
        return {
            name: getattr(self, name) for name in ("payments", "chargebacks", "customers", "terminals", "compromises")
        }

    def note(self) -> str:
        """Describe the simulation as JSON: that it is one, its settings, its counts, the numpy that drew it."""
        extended = self.settings.profile == "extended"
        unused = () if extended else ("rings",)
        counted = self.chargebacks.group_by("scenario").len().sort("scenario")
        described = {
            "simulated": True,
            "statement": STATEMENT,
            "process": "Fraud Detection Handbook, chapter 3" + (" with rings and leaked devices" if extended else ""),
            "settings": {
                name: value for name, value in dataclasses.asdict(self.settings).items() if name not in unused
            },
            "payments": self.payments.height,
            "frauds": int(self.chargebacks["is_fraud"].sum()),
            "payments_by_scenario": dict(counted.iter_rows()),
            "rows": {name: frame.height for name, frame in self.frames().items()},
            "numpy": np.__version__,
        }
        return json.dumps(described, indent=2) + "\n"


def write_simulation(simulation: Simulated, folder: Path) -> Path:
    """Write `<frame>.parquet` for each frame and `simulation.json`, the note, last; return the note's path.

    Each file is replaced as a whole. A folder without a note, or with one that is older than its frames, is unfinished.
    The same simulation gives the same bytes with the same versions of polars and numpy.
    """
    note = folder / NOTE
    note.unlink(missing_ok=True)
    for name, frame in simulation.frames().items():
        with replacing(folder / f"{name}.parquet") as part:
            frame.write_parquet(
                part,
                compression="zstd",
                compression_level=1,
                row_group_size=_ROWS_IN_A_GROUP,
                metadata={"simulated": "true", "statement": STATEMENT},
            )
    write_text(note, simulation.note())
    return note
