"""Payments after the end of a simulation: the same customers at the same terminals, day by day, without an end.

Each day is drawn from the seed and its number alone, so that two runs give the same payments with the same ids; events
that were sent before are then known by their key, and count once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.simulate.cards import payments_frame
from mlsd_framework.runtime.data.simulate.payments import DAY, Payments, draw_payments
from mlsd_framework.runtime.data.simulate.population import (
    Customers,
    Reach,
    Terminals,
    draw_customers,
    draw_terminals,
    find_reach,
)
from mlsd_framework.runtime.data.simulate.settings import CardSimulation
from mlsd_framework.runtime.data.simulate.streams import Stream, stream

_MOST_DAYS = 3650
_DAY_IDS = 100_000_000  # ids of a day: more than a simulation may have payments in all
ATTACK_IDS = 10**15
"""The first id of an attack's payments."""
_ATTACK_PAYMENTS = 40
_ATTACK_SECONDS = 300
_AMOUNTS = (30.0, 200.0)  # what thieves take from one card at a time, below what a bank would ask about


@dataclass(frozen=True, slots=True)
class Attack:
    """A velocity attack: a stolen card is used online, many times within minutes, at terminals all over."""

    card: int
    payments: int = _ATTACK_PAYMENTS
    seconds: int = _ATTACK_SECONDS


class LivePayments:
    """The days that follow those of `settings`, as frames with the columns of the simulation's payments."""

    def __init__(self, settings: CardSimulation, attack: Attack | None = None, *, skipped: int = 0) -> None:
        """Draw the world again, and leave out so many days after the end of the log.

        An attack begins with the first payment. Raises E6153 where there is no such card.
        """
        if attack is not None and not 0 <= attack.card < settings.customers:
            raise RunError.of(
                "E6153",
                f"the simulation has no card {attack.card}",
                expected=f"a number from 0 to {settings.customers - 1}",
            )
        self._settings = settings
        self._attack = attack
        self._first = settings.days + skipped
        self._customers: Customers = draw_customers(settings)
        self._terminals: Terminals = draw_terminals(settings)
        self._reach: Reach = find_reach(self._customers, self._terminals, settings.radius)

    def days(self) -> Iterator[pl.DataFrame]:
        """Yield one day after the other, its payments in order of time."""
        attack = self._attack
        for number in range(self._first, self._first + _MOST_DAYS):
            payments = self._day(number)
            frame = self._frame(payments, _DAY_IDS * number)
            if attack is not None:
                stolen = self._frame(self._stolen(attack, int(payments.second[0])), ATTACK_IDS)
                frame = pl.concat([frame, stolen]).sort("ts", maintain_order=True)
                attack = None
            yield frame

    def _day(self, number: int) -> Payments:
        seed = int(stream(self._settings.seed, Stream.LIVE, number).integers(2**62))
        one_day = replace(self._settings, days=1, seed=seed)
        payments = draw_payments(one_day, self._customers, self._terminals, self._reach)
        payments.second += number * DAY
        return payments

    def _stolen(self, attack: Attack, begin: int) -> Payments:
        rng = stream(self._settings.seed, Stream.ATTACK, attack.card)
        number = attack.payments
        return Payments(
            second=begin + np.sort(rng.integers(0, attack.seconds, number)),
            card=np.full(number, attack.card),
            terminal=rng.choice(self._settings.terminals, number, replace=number > self._settings.terminals),
            amount=np.round(rng.uniform(*_AMOUNTS, number), 2),
            device=np.full(number, ATTACK_IDS + attack.card),
            online=np.ones(number, np.bool_),
            scenario=np.zeros(number, np.int8),
        )

    def _frame(self, payments: Payments, first_id: int) -> pl.DataFrame:
        frame = payments_frame(self._settings, payments, self._terminals)
        return frame.with_columns(pl.col("payment_id") + first_id)
