"""What the `extended` profile adds: fraud rings, and leaked cards used online from strange devices."""

import numpy as np

from mlsd_framework.runtime.data.simulate.payments import Payments
from mlsd_framework.runtime.data.simulate.population import Ints
from mlsd_framework.runtime.data.simulate.scenarios import RING, Compromise, RowsByCard
from mlsd_framework.runtime.data.simulate.settings import CardSimulation
from mlsd_framework.runtime.data.simulate.streams import Stream, stream

RING_DAYS = 21
RING_SHARE = 0.4
_LEAST_MEMBERS, _MOST_MEMBERS = 4, 9
_RING_DEVICES = 2
_RING_TERMINALS = 4
_ONLINE_LEAKS = 0.7
_HIGHEST_MARKUP = 2.0


def run_rings(settings: CardSimulation, payments: Payments, by_card: RowsByCard, next_device: int) -> list[Compromise]:
    """Move 40 % of the genuine payments of a ring's members in 21 days to the ring's devices and terminals.

    These payments are fraud, online, and up to twice as high as they were: amounts say little, the sharing says much.
    Devices of ring `r` are `next_device + 2 * r` and the next one.
    """
    rng = stream(settings.seed, Stream.RINGS)
    found: list[Compromise] = []
    for ring in range(settings.rings):
        size = min(int(rng.integers(_LEAST_MEMBERS, _MOST_MEMBERS)), settings.customers)
        members = rng.choice(settings.customers, size, replace=False)
        terminals = rng.choice(settings.terminals, min(_RING_TERMINALS, settings.terminals), replace=False)
        day = int(rng.integers(0, settings.days))
        found.extend(Compromise(RING, int(card), day, day + RING_DAYS, ring) for card in members)
        exposed = np.concatenate([by_card.between(int(card), day, day + RING_DAYS) for card in members])
        exposed = exposed[payments.scenario[exposed] == 0]
        rows = rng.choice(exposed, int(len(exposed) * RING_SHARE), replace=False)
        payments.terminal[rows] = rng.choice(terminals, len(rows))
        payments.device[rows] = next_device + ring * _RING_DEVICES + rng.integers(0, _RING_DEVICES, len(rows))
        payments.amount[rows] = np.round(payments.amount[rows] * rng.uniform(1, _HIGHEST_MARKUP, len(rows)), 2)
        payments.online[rows] = True
        payments.scenario[rows] = RING
    return found


def leak_online(settings: CardSimulation, payments: Payments, rows: Ints, next_device: int) -> None:
    """Move most fraud on leaked cards online, to devices from `next_device` on; the thieves of a day share three."""
    rng = stream(settings.seed, Stream.LEAKS)
    moved = rows[rng.random(len(rows)) < _ONLINE_LEAKS]
    payments.online[moved] = True
    payments.device[moved] = next_device + payments.day[moved] * 3 + rng.integers(0, 3, len(moved))
