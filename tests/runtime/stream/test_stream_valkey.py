"""Replicas that join, leave, stop and are killed share the partitions of a Valkey stream."""

import os
import random
import signal
import time

import pytest

from mlsd_framework.runtime.features.resp import Connection
from mlsd_framework.runtime.stream.leases import Leases, LeaseTerms
from tests.runtime.stream.payments import payment
from tests.runtime.stream.pumping import NAMES
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.updater_process import Updaters
from tests.runtime.stream.watching import add, all_counted, read_up_to, wait_for


def test_leases_are_shared_out(connection: Connection) -> None:
    """Replicas that join get their share, those that leave give theirs back, and each partition has one reader."""
    parts = [f"p{at}" for at in range(5)]
    replicas = [Leases(NAMES, "s", parts, LeaseTerms(name, 60.0)) for name in "abc"]

    def held(living: list[Leases]) -> list[int]:
        for _ in range(3):
            for one in living:
                one.renew(connection, 1.0)
        assert sorted(name for one in living for name in one.held) == parts
        return [len(one.held) for one in living]

    assert held(replicas[:1]) == [5]
    assert held(replicas[:2]) == [3, 2]
    assert held(replicas) == [2, 2, 1]
    replicas[0].leave(connection, 1.0)
    assert held(replicas[1:]) == [3, 2]


def test_leases_of_the_dead_expire(connection: Connection) -> None:
    """The partitions of a replica that does not renew its leases are free after their time."""
    Leases(NAMES, "s", ["p"], LeaseTerms("a", 0.1)).renew(connection, 1.0)
    other = Leases(NAMES, "s", ["p"], LeaseTerms("b", 0.1))
    other.renew(connection, 1.0)
    assert other.held == frozenset()
    time.sleep(0.15)
    other.renew(connection, 1.0)
    assert other.held == {"p"}


@pytest.mark.process
def test_rebalancing(store: StoreProcess) -> None:
    """Through replicas that join, leave, are killed and are paused beyond their leases, each event counts once."""
    chosen = random.Random(11)  # noqa: S311 - choices, no secrets
    sent = 0
    with Updaters() as updaters:
        living: dict[str, int] = {}
        for turn in range(24):
            for part in range(4):
                add(store, [payment(n) for n in range(sent, sent + 50)], f"payments.{part}")
                sent += 50
            name = f"r{turn}"
            if len(living) < 3:
                living[name] = updaters.start(url=store.url, replica=name, partitions=4, lease_s=0.3, most=16)
            gone = chosen.choice([None, signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
            time.sleep(chosen.uniform(0.02, 0.25))
            if gone == signal.SIGSTOP:
                paused = chosen.choice(list(living.values()))
                os.kill(paused, signal.SIGSTOP)
                time.sleep(0.35)
                os.kill(paused, signal.SIGCONT)
            elif gone is not None:
                updaters.signal(living.pop(chosen.choice(list(living))), gone)
        if not living:
            living["last"] = updaters.start(url=store.url, replica="last", partitions=4, lease_s=0.3)
        wait_for(lambda: read_up_to(store) >= sent)
        for process in living.values():
            assert updaters.signal(process, signal.SIGTERM) == 0
    assert read_up_to(store) == sent
    assert all_counted(store) == {f"p{n}": 1 for n in range(sent)}
