"""A store that is paused, full, killed and started again, with its data or without: the updater waits and goes on."""

import random
import signal
import time
from pathlib import Path

import pytest

from tests.runtime.stream.payments import payment
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.updater_process import Updaters
from tests.runtime.stream.watching import add, all_counted, read_up_to, wait_for

pytestmark = pytest.mark.process


def test_a_paused_store(own_folder: Path) -> None:
    """A store that does not answer for longer than the timeout costs no event and doubles none."""
    chosen = random.Random(3)  # noqa: S311 - moments, no secrets
    with StoreProcess(own_folder) as store, Updaters() as updaters:
        process = updaters.start(url=store.url, most=16, timeout=0.1)
        for turn in range(12):
            add(store, [payment(n) for n in range(turn * 200, turn * 200 + 200)])
            time.sleep(chosen.uniform(0.0, 0.03))
            store.pause()
            time.sleep(0.2)
            store.resume()
        wait_for(lambda: read_up_to(store) == 2400)
        assert updaters.signal(process, signal.SIGTERM) == 0
        assert all_counted(store) == {f"p{n}": 1 for n in range(2400)}


def test_a_killed_store(own_folder: Path) -> None:
    """A store killed and started again on its append-only file has states and positions of one moment."""
    options = ("--appendonly", "yes", "--appendfsync", "everysec")
    with StoreProcess(own_folder, *options) as store, Updaters() as updaters:
        process = updaters.start(url=store.url, most=16, timeout=1.0)
        for turn in range(5):
            add(store, [payment(n) for n in range(turn * 300, turn * 300 + 300)])
            time.sleep(0.05)
            store.kill()
            time.sleep(0.05)
            store.start()
        length = store.ask(b"XLEN", b"payments")
        assert isinstance(length, int)
        wait_for(lambda: read_up_to(store) == length)
        assert updaters.signal(process, signal.SIGTERM) == 0
        found = all_counted(store)
        assert set(found.values()) == {1}
        assert len(found) == length


def test_a_store_started_empty(own_folder: Path) -> None:
    """A store that comes back without its data gets a new generation, and what comes then counts once."""
    with StoreProcess(own_folder) as store, Updaters() as updaters:
        process = updaters.start(url=store.url, timeout=1.0)
        add(store, [payment(n) for n in range(100)])
        wait_for(lambda: read_up_to(store) == 100)
        store.kill()
        store.start()
        add(store, [payment(n) for n in range(50, 150)])
        wait_for(lambda: read_up_to(store) == 100)
        assert updaters.signal(process, signal.SIGTERM) == 0
        assert all_counted(store) == {f"p{n}": 1 for n in range(50, 150)}


def test_a_full_store(own_folder: Path) -> None:
    """A store that refuses for want of memory is waited for: no half is written, and all when there is room."""
    with StoreProcess(own_folder, "--maxmemory-policy", "noeviction") as store, Updaters() as updaters:
        process = updaters.start(url=store.url, most=16, timeout=1.0)
        wait_for(lambda: store.ask(b"EXISTS", b"shop:f1:live") == 1)
        store.ask(b"CONFIG", b"SET", b"maxmemory", b"1mb")
        store.ask(b"CONFIG", b"SET", b"maxmemory", b"0")
        add(store, [payment(n) for n in range(2000)])
        store.ask(b"CONFIG", b"SET", b"maxmemory", b"1mb")
        time.sleep(0.3)
        before = read_up_to(store)
        time.sleep(0.3)
        assert read_up_to(store) == before < 2000
        store.ask(b"CONFIG", b"SET", b"maxmemory", b"0")
        wait_for(lambda: read_up_to(store) == 2000)
        assert updaters.signal(process, signal.SIGTERM) == 0
        assert all_counted(store) == {f"p{n}": 1 for n in range(2000)}
