"""Simulated card payments: a seeded source of customers, terminals, payments and chargebacks, labelled as simulated."""

from mlsd_framework.runtime.data.simulate.cards import simulate_cards
from mlsd_framework.runtime.data.simulate.result import Simulated, write_simulation
from mlsd_framework.runtime.data.simulate.settings import CardSimulation

__all__ = ["CardSimulation", "Simulated", "simulate_cards", "write_simulation"]
