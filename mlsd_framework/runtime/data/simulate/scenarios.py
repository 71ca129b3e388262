"""The three published fraud scenarios, in their published order; a later one overwrites an earlier one's mark."""

from dataclasses import dataclass

import numpy as np

from mlsd_framework.runtime.data.simulate.payments import Payments
from mlsd_framework.runtime.data.simulate.population import Ints
from mlsd_framework.runtime.data.simulate.settings import CardSimulation
from mlsd_framework.runtime.data.simulate.streams import Stream, stream

SCENARIOS = ("genuine", "large_amount", "compromised_terminal", "compromised_card", "ring")
LARGE_AMOUNT, COMPROMISED_TERMINAL, COMPROMISED_CARD, RING = 1, 2, 3, 4

LIMIT = 220.0  # EUR; every payment above it is fraud
TERMINAL_DAYS = 28
CARD_DAYS = 14
FRAUD_FACTOR = 5


@dataclass(frozen=True, slots=True)
class Compromise:
    """A card or terminal in the hands of fraudsters from day `first` until before day `end`."""

    scenario: int
    number: int
    first: int
    end: int
    ring: int | None = None


@dataclass(frozen=True, slots=True)
class RowsByCard:
    """The rows of each card in order of time, so that a card's rows of some days are a slice."""

    rows: Ints
    first: Ints
    day: Ints

    @classmethod
    def of(cls, payments: Payments, customers: int) -> "RowsByCard":
        """Group the rows."""
        rows = np.argsort(payments.card, kind="stable")
        first = np.concatenate(([0], np.cumsum(np.bincount(payments.card, minlength=customers))))
        return cls(rows, first, payments.day[rows])

    def between(self, card: int, first: int, end: int) -> Ints:
        """Return the rows of `card` on days `first` to `end - 1`."""
        low, high = self.first[card], self.first[card + 1]
        inside = np.searchsorted(self.day[low:high], [first, end])
        return self.rows[low + inside[0] : low + inside[1]]


def mark_large_amounts(payments: Payments) -> None:
    """Scenario 1: every payment above 220 EUR is fraud."""
    payments.scenario[payments.amount > LIMIT] = LARGE_AMOUNT


def compromise_terminals(settings: CardSimulation, payments: Payments) -> list[Compromise]:
    """Scenario 2: each day some terminals fall; for 28 days all their payments are fraud."""
    rng = stream(settings.seed, Stream.COMPROMISED_TERMINALS)
    fallen = np.zeros((settings.terminals, settings.days), dtype=np.bool_)
    found: list[Compromise] = []
    for day in range(settings.days - 1):  # nothing new on the last day, as published
        for terminal in rng.choice(settings.terminals, settings.terminals_compromised, replace=False):
            fallen[terminal, day : day + TERMINAL_DAYS] = True
            found.append(Compromise(COMPROMISED_TERMINAL, int(terminal), day, day + TERMINAL_DAYS))
    payments.scenario[fallen[payments.terminal, payments.day]] = COMPROMISED_TERMINAL
    return found


def compromise_cards(
    settings: CardSimulation, payments: Payments, by_card: RowsByCard
) -> tuple[list[Compromise], Ints]:
    """Scenario 3: each day some cards leak; of their payments of 14 days a third is multiplied by 5 and is fraud.

    Returns the compromises and the rows, each once, in order.
    """
    rng = stream(settings.seed, Stream.COMPROMISED_CARDS)
    found: list[Compromise] = []
    touched: list[Ints] = [np.empty(0, np.int64)]
    for day in range(settings.days - 1):
        cards = rng.choice(settings.customers, settings.cards_compromised, replace=False)
        found.extend(Compromise(COMPROMISED_CARD, int(card), day, day + CARD_DAYS) for card in cards)
        exposed = np.concatenate([touched[0], *(by_card.between(int(card), day, day + CARD_DAYS) for card in cards)])
        rows = rng.choice(exposed, len(exposed) // 3, replace=False)
        payments.amount[rows] = np.round(payments.amount[rows] * FRAUD_FACTOR, 2)
        payments.scenario[rows] = COMPROMISED_CARD
        touched.append(rows)
    return found, np.unique(np.concatenate(touched))
