"""Updaters killed at any moment lose nothing and count nothing twice."""

import random
import signal
import time

import pytest

from tests.runtime.stream.payments import payment
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.updater_process import Updaters
from tests.runtime.stream.watching import add, all_counted, read_up_to, wait_for

KILLS = 200


@pytest.mark.process
def test_200_kills(store: StoreProcess) -> None:
    """After `kill -9` at 200 random moments every event is in its state exactly once."""
    random_moments = random.Random(7)  # noqa: S311 - moments, no secrets
    sent, stopped_at = 0, set()
    with Updaters() as updaters:
        for _ in range(KILLS):
            add(store, [payment(n) for n in range(sent, sent + 200)])
            sent += 200
            process = updaters.start(url=store.url)
            time.sleep(random_moments.uniform(0.0, 0.09))
            assert updaters.signal(process, signal.SIGKILL) == -signal.SIGKILL
            stopped_at.add(read_up_to(store))
        process = updaters.start(url=store.url, most=4096)
        add(store, [payment(n) for n in range(sent, sent + 200)])
        sent += 200
        wait_for(lambda: read_up_to(store) == sent)
        assert updaters.signal(process, signal.SIGTERM) == 0
    print(f"{len(stopped_at)} different positions, {sent} events")
    assert len(stopped_at) > KILLS / 10, "the kills hit nothing"
    assert all_counted(store) == {f"p{n}": 1 for n in range(sent)}
