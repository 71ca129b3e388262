"""The updater as a process: what a generated `updater.py` runs."""

import argparse
import json
import os
import socket
from collections.abc import Callable, Sequence

from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.stream.feeds import Feed, stream_of
from mlsd_framework.runtime.stream.updater import UpdaterSettings, run_updater


def run(
    feeds: Sequence[Feed],
    *,
    system: str,
    features: str,
    freshness: float | None = None,
    arguments: Sequence[str] | None = None,
) -> int:
    """Read the command line, keep the states of `feeds` until SIGTERM, and return the process's exit code.

    `freshness` is how many seconds the system owes at most from an event to its readable value.

    Streams are in the store, unless the variable MLSD_KAFKA_BROKERS names the brokers of their topics; then
    MLSD_KAFKA_OPTIONS may say in JSON how these are spoken to.
    """
    given = _arguments(arguments)
    url = os.environ[given.store[1:]] if given.store.startswith("@") else given.store
    address, names = Address.parse(url), LiveNames(system, features)
    host, _, port = given.metrics.rpartition(":")
    sources = [(feed.source, stream_of(feed, address, names, given.replica)) for feed in feeds]
    settings = UpdaterSettings(
        store=address,
        names=names,
        replica=given.replica,
        metrics=(host, int(port)) if port else None,
        freshness=freshness,
    )
    return run_updater(sources, settings, None if given.ready_fd is None else _sayer(given.ready_fd))


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Reads streams and keeps the states of live features.")
    parser.add_argument(
        "--store", default="@MLSD_STORE_URL", help="URL of the store, or @ and a variable that holds it"
    )
    parser.add_argument(
        "--replica", default=f"{socket.gethostname()}-{os.getpid()}", help="the name of this updater among others"
    )
    parser.add_argument("--ready-fd", type=int, help="where to write one line of JSON when it works")
    parser.add_argument("--metrics", default="", help="HOST:PORT to show metrics at; port 0 takes any free one")
    return parser.parse_args(given)


def _sayer(descriptor: int) -> Callable[[int], None]:
    """Return what tells whoever started the process that it works, and where its metrics are."""

    def ready(port: int) -> None:
        with os.fdopen(descriptor, "w") as pipe:
            pipe.write(json.dumps({"metrics_port": port}) + "\n")

    return ready
