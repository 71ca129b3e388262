"""Payments before any fraud: who pays when, where, how much, through which device and channel."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.simulate.population import CATEGORIES, Customers, Floats, Ints, Reach, Terminals
from mlsd_framework.runtime.data.simulate.settings import CardSimulation
from mlsd_framework.runtime.data.simulate.streams import Stream, stream

DAY = 86_400
_NOON = DAY / 2
_SPREAD_OF_TIME = 20_000
_SECOND_DEVICE_USE = 0.3
_ONLINE = {
    "grocery": 0.1,
    "fuel": 0.0,
    "restaurant": 0.2,
    "clothing": 0.5,
    "electronics": 0.6,
    "travel": 0.8,
    "pharmacy": 0.2,
    "digital": 1.0,
    "jewellery": 0.3,
}


@dataclass(slots=True)
class Payments:
    """Columns in order of time; the row's number is the payment's.

    Fraud scenarios change amounts, terminals, devices and channels in place.
    """

    second: Ints  # since the simulation's first midnight
    card: Ints
    terminal: Ints
    amount: Floats  # EUR, to the cent
    device: Ints
    online: npt.NDArray[np.bool_]
    scenario: npt.NDArray[np.int8]  # 0 genuine, else the last scenario that marked it

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.second)

    @property
    def day(self) -> Ints:
        """Day of each payment, from 0."""
        return self.second // DAY


def draw_payments(settings: CardSimulation, customers: Customers, terminals: Terminals, reach: Reach) -> Payments:
    """Draw all payments, in order of time (ties: of card).

    A Poisson number a customer and day; the second of the day is normal around noon (sd 20,000 s; what falls outside
    the day is dropped); the amount is normal (sd half the mean; a negative one is drawn again, uniform up to twice the
    mean); the terminal is any within reach, and a customer who reaches none never pays. Raises E6152 when nobody pays.
    """
    card, second = _draw_moments(settings, customers, reach)
    if not len(card):
        raise RunError.of(
            "E6152",
            f"none of the {settings.customers:,} customers makes a payment in {settings.days:,} days",
            expected="at least one payment",
            help="raise `radius`, `terminals`, `customers` or `days`",
        )
    pick = stream(settings.seed, Stream.CHOICE_OF_TERMINAL).random(len(card))
    choices = reach.first[card + 1] - reach.first[card]
    terminal = reach.terminals[reach.first[card] + (pick * choices).astype(np.int64)]
    amount = _draw_amounts(settings, customers.mean_amount[card])
    order = np.lexsort((card, second))
    card, terminal = card[order], terminal[order]
    rng = stream(settings.seed, Stream.CHANNELS)
    device = np.where(
        rng.random(len(card)) < _SECOND_DEVICE_USE, customers.second_device[card], customers.first_device[card]
    )
    shares = np.array([_ONLINE.get(name, 0.3) for name in CATEGORIES])
    online = rng.random(len(card)) < shares[terminals.category[terminal]]
    return Payments(second[order], card, terminal, amount[order], device, online, np.zeros(len(card), np.int8))


def _draw_moments(settings: CardSimulation, customers: Customers, reach: Reach) -> tuple[Ints, Ints]:
    """Return card and second of each payment, a customer's payments together."""
    rates = np.where(np.diff(reach.first) > 0, customers.daily_payments, 0.0)
    counts = stream(settings.seed, Stream.COUNTS).poisson(rates[:, None], (settings.customers, settings.days))
    slot = np.repeat(np.arange(counts.size), counts.ravel())
    of_day = np.trunc(stream(settings.seed, Stream.TIMES).normal(_NOON, _SPREAD_OF_TIME, len(slot))).astype(np.int64)
    kept = (of_day > 0) & (of_day < DAY)
    slot, of_day = slot[kept], of_day[kept]
    return slot // settings.days, slot % settings.days * DAY + of_day


def _draw_amounts(settings: CardSimulation, mean: Floats) -> Floats:
    rng = stream(settings.seed, Stream.AMOUNTS)
    amount = mean * (1 + 0.5 * rng.standard_normal(len(mean)))
    below = amount < 0
    amount[below] = rng.random(int(below.sum())) * 2 * mean[below]
    return np.round(amount, 2)
