"""The simulation from settings to frames: population, payments, fraud, verdicts."""

import numpy as np
import polars as pl

from mlsd_framework.runtime.data.simulate.payments import DAY, Payments, draw_payments
from mlsd_framework.runtime.data.simulate.population import (
    CATEGORIES,
    COUNTRIES,
    Customers,
    Ints,
    Terminals,
    draw_customers,
    draw_terminals,
    find_reach,
)
from mlsd_framework.runtime.data.simulate.result import Simulated
from mlsd_framework.runtime.data.simulate.rings import leak_online, run_rings
from mlsd_framework.runtime.data.simulate.scenarios import (
    SCENARIOS,
    Compromise,
    RowsByCard,
    compromise_cards,
    compromise_terminals,
    mark_large_amounts,
)
from mlsd_framework.runtime.data.simulate.settings import CardSimulation

_MICRO = 1_000_000
_MOMENT = pl.Datetime("us", "UTC")


def simulate_cards(settings: CardSimulation) -> Simulated:
    """Simulate card payments; the same settings give the same frames, on any number of threads.

    The process is the one that the Fraud Detection Handbook publishes (https://fraud-detection-handbook.github.io),
    drawn with numpy's PCG64: scores are comparable, rows are not the same. Another numpy may draw other rows.
    Times are UTC, amounts EUR. Raises E6152 when no customer reaches a terminal.
    """
    customers, terminals = draw_customers(settings), draw_terminals(settings)
    reach = find_reach(customers, terminals, settings.radius)
    payments = draw_payments(settings, customers, terminals, reach)
    by_card = RowsByCard.of(payments, settings.customers)
    mark_large_amounts(payments)
    compromises = compromise_terminals(settings, payments)
    leaked, rows = compromise_cards(settings, payments, by_card)
    compromises += leaked
    if settings.profile == "extended":
        own = 2 * settings.customers
        leak_online(settings, payments, rows, next_device=own)
        compromises += run_rings(settings, payments, by_card, next_device=own + 3 * settings.days)
    return Simulated(
        settings=settings,
        payments=payments_frame(settings, payments, terminals),
        chargebacks=_chargebacks_frame(settings, payments),
        customers=_customers_frame(customers, reach.first),
        terminals=_terminals_frame(terminals),
        compromises=_compromises_frame(settings, compromises),
    )


def _names(codes: Ints, names: tuple[str, ...]) -> pl.Series:
    """Turn codes into strings without a Python string a row."""
    return pl.Series(names, dtype=pl.String).gather(pl.Series(codes.astype(np.uint32)))


def _moments(settings: CardSimulation, seconds: Ints) -> pl.Series:
    return pl.Series(settings.start_us + seconds * _MICRO).cast(_MOMENT)


def payments_frame(settings: CardSimulation, payments: Payments, terminals: Terminals) -> pl.DataFrame:
    """Return payments as the frame that a simulation writes, numbered from 0."""
    return pl.DataFrame(
        {
            "payment_id": np.arange(len(payments), dtype=np.int64),
            "ts": _moments(settings, payments.second),
            "card_id": payments.card,
            "terminal_id": payments.terminal,
            "amount": payments.amount,
            "currency": pl.repeat("EUR", len(payments), eager=True),
            "device_id": payments.device,
            "merchant_category": _names(terminals.category[payments.terminal], CATEGORIES),
            "country": _names(terminals.country[payments.terminal], COUNTRIES),
            "channel": _names(payments.online.astype(np.int64), ("card_present", "online")),
        },
    )


def _chargebacks_frame(settings: CardSimulation, payments: Payments) -> pl.DataFrame:
    """Give every payment its verdict, with what a window over verdicts needs; ordered by `reported_at`."""
    return pl.DataFrame(
        {
            "payment_id": np.arange(len(payments), dtype=np.int64),
            "reported_at": _moments(settings, payments.second + settings.chargeback_days * DAY),
            "card_id": payments.card,
            "terminal_id": payments.terminal,
            "is_fraud": payments.scenario > 0,
            "scenario": _names(payments.scenario.astype(np.int64), SCENARIOS),
        },
    )


def _customers_frame(customers: Customers, first: Ints) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "card_id": np.arange(len(customers), dtype=np.int64),
            "x": customers.x,
            "y": customers.y,
            "home_country": _names(customers.country, COUNTRIES),
            "mean_amount": customers.mean_amount,
            "daily_payments": customers.daily_payments,
            "terminals_in_reach": np.diff(first),
            "device_id": customers.first_device,
            "second_device_id": pl.Series(customers.second_device),
        },
    ).with_columns(
        second_device_id=pl.when(pl.col("second_device_id") != pl.col("device_id")).then(pl.col("second_device_id"))
    )


def _terminals_frame(terminals: Terminals) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "terminal_id": np.arange(len(terminals), dtype=np.int64),
            "x": terminals.x,
            "y": terminals.y,
            "country": _names(terminals.country, COUNTRIES),
            "merchant_category": _names(terminals.category, CATEGORIES),
        },
    )


def _compromises_frame(settings: CardSimulation, compromises: list[Compromise]) -> pl.DataFrame:
    """Say who was in fraudsters' hands when: the truth behind the labels, for tests and reports, never for features."""
    return pl.DataFrame(
        {
            "scenario": pl.Series([SCENARIOS[c.scenario] for c in compromises], dtype=pl.String),
            "number": pl.Series([c.number for c in compromises], dtype=pl.Int64),
            "starts": _moments(settings, np.array([c.first for c in compromises], np.int64) * DAY),
            "ends": _moments(settings, np.array([c.end for c in compromises], np.int64) * DAY),
            "ring": pl.Series([c.ring for c in compromises], dtype=pl.Int64),
        },
    )
