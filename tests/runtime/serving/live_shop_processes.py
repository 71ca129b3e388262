"""The live shop as processes: its store, filled from its log, its updater, and workers."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from mlsd_framework.runtime.serving.bundle import Bundle, write_bundle
from mlsd_framework.runtime.stream.feeds import fill_states
from tests.runtime.serving.live_shop.purchases import FEATURES, FEED, USERS, log
from tests.runtime.serving.valkey_process import Valkey

SERVICE = Path(__file__).parent / "live_shop" / "service.py"
PROJECT = Path(__file__).parents[3]


def write_live_shop_bundle(versions: Path) -> Bundle:
    """Write the bundle of the live shop, with real requests of its users."""
    requests = {"/recommend": [{"request": {"user_id": user}} for user in range(USERS)]}
    parts = {"system": "live-shop", "spec": "sha256:spec", "features": FEATURES, "version": "v1"}
    return write_bundle(versions, files={"requests.json": json.dumps(requests).encode()}, **parts)


def fill(valkey: Valkey) -> None:
    """Write the states of the log."""
    logs = {"purchases": log().lazy()}
    fill_states([FEED], logs, system="live-shop", features=FEATURES, store=valkey.url)


@contextlib.contextmanager
def updating(valkey: Valkey) -> Iterator[subprocess.Popen[bytes]]:
    """Run the updater meanwhile."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "tests.runtime.serving.live_shop.updater", "--replica", "a"]
    process = subprocess.Popen(
        [*command, "--store", valkey.url, "--ready-fd", str(writing)],
        pass_fds=[writing],
        cwd=PROJECT,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            assert pipe.readline(), process.communicate(timeout=20)
        yield process
    finally:
        process.kill()
        process.communicate()


def purchase(user: int, item: int, number: int) -> dict[str, Any]:
    """Return an event of now."""
    return {
        "purchase_id": f"new-{number}",
        "ts": datetime.now(UTC).isoformat(),
        "user_id": user,
        "item_id": item,
    }


def wait_until_known(client: httpx.Client, user: int, item: int, seconds: float = 20.0) -> None:
    """Wait until the history that a traced request shows begins with an item."""
    limit = time.monotonic() + seconds
    while True:
        found = client.post("/recommend", json={"user_id": user}, headers={"x-mlsd-trace": "1"}).json()
        if [one["item"] for one in found["trace"]["history"]][:1] == [item]:
            return
        assert time.monotonic() < limit, found
        time.sleep(0.01)
