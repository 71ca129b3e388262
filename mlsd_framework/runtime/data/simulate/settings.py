"""What a card simulation is asked for: its size, its period, its seed and how much of each fraud it has."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from mlsd_framework.diagnostics.errors import RunError

Profile = Literal["handbook", "extended"]

_MOST_PAYMENTS = 200_000_000
"""Above this the frames no longer fit the memory of an ordinary machine."""

_COUNTS = {
    "customers": 1,
    "terminals": 1,
    "days": 1,
    "seed": 0,
    "terminals_compromised": 0,
    "cards_compromised": 0,
    "rings": 0,
    "chargeback_days": 0,
}
"""The least value of each whole number."""


@dataclass(frozen=True, slots=True)
class CardSimulation:
    """Settings of a simulation; the defaults are those that the Fraud Detection Handbook published.

    `handbook` follows the published process and nothing else: devices, categories and countries are there and say
    nothing about fraud. `extended` adds fraud rings, and leaked cards are used online from devices of the thieves.

    radius               a customer pays at terminals nearer than this on a plane of 100 x 100
    daily_payments       the mean number of payments a day is uniform between 0 and this
    terminals_compromised, cards_compromised   how many new ones a day; for 28 and 14 days
    rings                fraud rings over the whole period, in the `extended` profile
    chargeback_days      from a payment until its verdict is known
    """

    customers: int = 5_000
    terminals: int = 10_000
    days: int = 183
    start: str = "2018-04-01"
    seed: int = 0
    profile: Profile = "handbook"
    radius: float = 5.0
    daily_payments: float = 4.0
    terminals_compromised: int = 2
    cards_compromised: int = 3
    rings: int = 40
    chargeback_days: int = 7

    def __post_init__(self) -> None:
        """Refuse settings that describe no simulation (E6150) or one too large for memory (E6151)."""
        for name, least in _COUNTS.items():
            value: object = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise _unfit(name, value, f"a whole number of at least {least}")
        for name in ("radius", "daily_payments"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1_000:  # noqa: PLR2004 - ten times the plane
                raise _unfit(name, value, "a number above 0 and up to 1000")
        if self.profile not in ("handbook", "extended"):
            raise _unfit("profile", self.profile, "`handbook` or `extended`")
        if self.terminals_compromised > self.terminals:
            raise _unfit("terminals_compromised", self.terminals_compromised, f"at most `terminals`, {self.terminals}")
        if self.cards_compromised > self.customers:
            raise _unfit("cards_compromised", self.cards_compromised, f"at most `customers`, {self.customers}")
        self._check_start()
        self._check_size()

    @property
    def start_us(self) -> int:
        """Microseconds UTC of the first midnight."""
        first = dt.date.fromisoformat(self.start)
        return (first - dt.date(1970, 1, 1)).days * 86_400_000_000

    @property
    def expected_payments(self) -> int:
        """About how many payments come out, before those that fall outside their day are dropped."""
        return int(self.customers * self.days * self.daily_payments / 2)

    def _check_start(self) -> None:
        try:
            first = dt.date.fromisoformat(self.start)
            _ = first + dt.timedelta(days=self.days + self.chargeback_days)
        except (TypeError, ValueError, OverflowError):
            raise _unfit("start", self.start, "a date such as `2018-04-01`, with room for `days` after it") from None

    def _check_size(self) -> None:
        cells = max(self.customers, self.terminals) * self.days
        if max(self.expected_payments, cells) > _MOST_PAYMENTS:
            raise RunError.of(
                "E6151",
                f"the simulation would make about {self.expected_payments:,} payments from {self.customers:,} customers"
                f" and {self.terminals:,} terminals over {self.days:,} days",
                expected=f"at most {_MOST_PAYMENTS:,} payments, customer-days and terminal-days",
                help="lower `customers`, `terminals`, `days` or `daily_payments`",
            )


def _unfit(name: str, value: object, expected: str) -> RunError:
    return RunError.of("E6150", f"setting `{name}` of the card simulation is `{value!r}`", expected=expected)
