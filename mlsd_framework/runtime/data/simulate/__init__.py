"""Simulated card payments: a seeded source of customers, terminals, payments and chargebacks, labelled as simulated."""

from pathlib import Path

from mlsd_framework.runtime.data.simulate.cards import simulate_cards
from mlsd_framework.runtime.data.simulate.result import Simulated, write_simulation
from mlsd_framework.runtime.data.simulate.settings import CardSimulation


def write_cards(folder: Path, **settings: str | int) -> Path:
    """Simulate card payments with `settings` of `CardSimulation` into `folder` and return the note's path."""
    return write_simulation(simulate_cards(CardSimulation(**settings)), folder)  # type: ignore[arg-type]  # checked by the settings themselves


__all__ = ["CardSimulation", "Simulated", "simulate_cards", "write_cards", "write_simulation"]
