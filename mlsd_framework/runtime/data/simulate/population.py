"""Customers and terminals on the plane, who can reach whom, and which devices each customer owns."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlsd_framework.runtime.data.simulate.settings import CardSimulation
from mlsd_framework.runtime.data.simulate.streams import Stream, stream

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

COUNTRIES = ("DE", "FR", "IT", "ES", "NL")
CATEGORIES = (
    "grocery",
    "fuel",
    "restaurant",
    "clothing",
    "electronics",
    "travel",
    "pharmacy",
    "entertainment",
    "digital",
    "jewellery",
)

_COUNTRY_EDGES = np.array([30.0, 52.0, 72.0, 90.0])
_CATEGORY_SHARES = np.array([0.26, 0.10, 0.16, 0.11, 0.07, 0.05, 0.08, 0.07, 0.08, 0.02])
_SECOND_DEVICE = 0.4
_SHARED_DEVICE = 0.1
_PAIRS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Customers:
    """Columns of the customers; a customer has one card, and its number is the card's."""

    x: Floats
    y: Floats
    mean_amount: Floats
    daily_payments: Floats
    country: Ints
    first_device: Ints
    second_device: Ints  # equal to the first where there is one only

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.x)


@dataclass(frozen=True, slots=True)
class Terminals:
    """Columns of the terminals."""

    x: Floats
    y: Floats
    country: Ints
    category: Ints

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.x)


@dataclass(frozen=True, slots=True)
class Reach:
    """The terminals of customer `c` are `terminals[first[c] : first[c + 1]]`, in ascending order."""

    first: Ints
    terminals: Ints


def draw_customers(settings: CardSimulation) -> Customers:
    """Draw places, the mean amount (uniform 5 to 100), the mean number of payments a day and the devices."""
    rng = stream(settings.seed, Stream.CUSTOMERS)
    n = settings.customers
    x, y = rng.uniform(0, 100, n), rng.uniform(0, 100, n)
    mean_amount = rng.uniform(5, 100, n)
    daily = rng.uniform(0, settings.daily_payments, n)
    first, second = _draw_devices(settings)
    return Customers(x, y, mean_amount, daily, _country(x), first, second)


def draw_terminals(settings: CardSimulation) -> Terminals:
    """Draw places and merchant categories."""
    rng = stream(settings.seed, Stream.TERMINALS)
    n = settings.terminals
    x, y = rng.uniform(0, 100, n), rng.uniform(0, 100, n)
    category = stream(settings.seed, Stream.CATEGORIES).choice(len(CATEGORIES), n, p=_CATEGORY_SHARES)
    return Terminals(x, y, _country(x), category.astype(np.int64))


def find_reach(customers: Customers, terminals: Terminals, radius: float) -> Reach:
    """Find the terminals nearer than `radius` to each customer.

    Terminals are sorted by x, so that only those in a customer's strip are measured.
    """
    by_x = np.argsort(terminals.x, kind="stable")
    tx, ty = terminals.x[by_x], terminals.y[by_x]
    low = np.searchsorted(tx, customers.x - radius, side="left")
    high = np.searchsorted(tx, customers.x + radius, side="right")
    candidates = np.concatenate(([0], np.cumsum(high - low)))
    counts = np.zeros(len(customers) + 1, dtype=np.int64)
    found: list[Ints] = []
    at = 0
    while at < len(customers):
        end = max(at + 1, int(np.searchsorted(candidates, candidates[at] + _PAIRS_AT_ONCE, side="right")) - 1)
        owner = np.repeat(np.arange(at, end), (high - low)[at:end])
        place = np.arange(len(owner)) - (candidates[owner] - candidates[at]) + low[owner]
        near = (customers.x[owner] - tx[place]) ** 2 + (customers.y[owner] - ty[place]) ** 2 < radius**2
        owner, terminal = owner[near], by_x[place[near]]
        found.append(terminal[np.lexsort((terminal, owner))])
        counts[at + 1 : end + 1] = np.bincount(owner - at, minlength=end - at)
        at = end
    return Reach(np.cumsum(counts), np.concatenate(found))


def _draw_devices(settings: CardSimulation) -> tuple[Ints, Ints]:
    """Give every customer a device; some have a second, and some share it with another customer, as families do."""
    rng = stream(settings.seed, Stream.DEVICES)
    n = settings.customers
    numbers = rng.permutation(2 * n).astype(np.int64)
    first = numbers[:n]
    kind, relative = rng.random(n), rng.integers(0, n, n)
    second = np.where(kind < _SHARED_DEVICE, first[relative], np.where(kind < _SECOND_DEVICE, numbers[n:], first))
    return first, second


def _country(x: Floats) -> Ints:
    """Countries are strips of the plane."""
    return np.searchsorted(_COUNTRY_EDGES, x, side="right").astype(np.int64)
