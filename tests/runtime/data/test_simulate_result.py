"""A written simulation says that it is one, and settings that describe none are refused."""

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from mlsd_framework.diagnostics.codes import data
from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.simulate import CardSimulation, simulate_cards, write_simulation

TINY = CardSimulation(customers=50, terminals=80, days=10, radius=30)


def test_files_hold_the_frames_and_say_that_they_are_simulated(tmp_path: Path) -> None:
    """Each frame reads back equal, and every file and the note carry the statement."""
    simulation = simulate_cards(TINY)
    note = write_simulation(simulation, tmp_path / "cards")
    for name, frame in simulation.frames().items():
        path = tmp_path / "cards" / f"{name}.parquet"
        assert_frame_equal(pl.read_parquet(path), frame)
        assert pq.read_metadata(path).metadata[b"simulated"] == b"true"
    said = json.loads(note.read_text())
    assert said["simulated"] is True
    assert "simulated" in said["statement"].lower()
    assert said["payments"] == simulation.payments.height == sum(said["payments_by_scenario"].values())
    assert said["settings"]["seed"] == 0


def test_writing_again_leaves_only_whole_files(tmp_path: Path) -> None:
    """A second simulation replaces the first; no temporary file stays."""
    write_simulation(simulate_cards(TINY), tmp_path)
    write_simulation(simulate_cards(CardSimulation(customers=40, terminals=80, days=10, radius=30)), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "chargebacks.parquet",
        "compromises.parquet",
        "customers.parquet",
        "payments.parquet",
        "simulation.json",
        "terminals.parquet",
    ]
    assert json.loads((tmp_path / "simulation.json").read_text())["rows"]["customers"] == 40


def test_a_failed_write_leaves_no_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder whose writing broke off has no note, so that nobody takes it for finished."""
    simulation = simulate_cards(TINY)
    write_simulation(simulation, tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(OSError, match="No space"):
        write_simulation(simulation, tmp_path)
    assert not (tmp_path / "simulation.json").exists()
    assert pl.read_parquet(tmp_path / "payments.parquet").height == simulation.payments.height
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("wrong", "code", "named"),
    [
        ({"customers": 0}, "E6150", "`customers`"),
        ({"days": 1.5}, "E6150", "`days`"),
        ({"seed": -1}, "E6150", "`seed`"),
        ({"terminals": True}, "E6150", "`terminals`"),
        ({"radius": float("nan")}, "E6150", "`radius`"),
        ({"radius": "5"}, "E6150", "`radius`"),
        ({"daily_payments": 0}, "E6150", "`daily_payments`"),
        ({"profile": "real"}, "E6150", "`profile`"),
        ({"start": "2018-02-30"}, "E6150", "`start`"),
        ({"start": "9999-12-01"}, "E6150", "`start`"),
        ({"terminals": 1}, "E6150", "`terminals_compromised`"),
        ({"customers": 2}, "E6150", "`cards_compromised`"),
        ({"customers": 10_000_000}, "E6151", "payments"),
        ({"terminals": 50_000_000}, "E6151", "terminals"),
        ({"radius": 1e-9}, "E6152", "customers"),
    ],
)
def test_settings_that_describe_no_simulation_are_refused(wrong: dict[str, object], code: str, named: str) -> None:
    """Each wrong setting is refused with its name, before anything large is drawn."""
    with pytest.raises(RunError, match=f"{code}.*{named}"):
        simulate_cards(CardSimulation(**wrong))  # type: ignore[arg-type]
    assert code in {known.code for known in data.CODES}
