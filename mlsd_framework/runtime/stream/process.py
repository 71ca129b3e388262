"""The updater as a process: what a generated `updater.py` runs."""

import argparse
import os
import socket
from collections.abc import Sequence

from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.stream.feeds import Feed
from mlsd_framework.runtime.stream.kafka import KafkaSettings, KafkaTopic
from mlsd_framework.runtime.stream.leases import LeaseTerms
from mlsd_framework.runtime.stream.source import StreamSource
from mlsd_framework.runtime.stream.updater import UpdaterSettings, run_updater
from mlsd_framework.runtime.stream.valkey import ValkeySettings, ValkeyStream

BROKERS = "MLSD_KAFKA_BROKERS"


def run(feeds: Sequence[Feed], *, system: str, features: str, arguments: Sequence[str] | None = None) -> int:
    """Read the command line, keep the states of `feeds` until SIGTERM, and return the process's exit code.

    Streams are in the store, unless the variable MLSD_KAFKA_BROKERS names the brokers of their topics.
    """
    given = _arguments(arguments)
    url = os.environ[given.store[1:]] if given.store.startswith("@") else given.store
    address, names = Address.parse(url), LiveNames(system, features)
    host, _, port = given.metrics.rpartition(":")
    sources = [(feed.source, _stream(feed, address, names, given.replica)) for feed in feeds]
    return run_updater(sources, _settings(address, names, given.replica, (host, int(port)) if port else None))


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Reads streams and keeps the states of live features.")
    parser.add_argument(
        "--store", default="@MLSD_STORE_URL", help="URL of the store, or @ and a variable that holds it"
    )
    parser.add_argument(
        "--replica", default=f"{socket.gethostname()}-{os.getpid()}", help="the name of this updater among others"
    )
    parser.add_argument("--metrics", default="", help="HOST:PORT to show metrics at; port 0 takes any free one")
    return parser.parse_args(given)


def _settings(address: Address, names: LiveNames, replica: str, metrics: tuple[str, int] | None) -> UpdaterSettings:
    return UpdaterSettings(store=address, names=names, replica=replica, metrics=metrics)


def _stream(feed: Feed, address: Address, names: LiveNames, replica: str) -> StreamSource:
    brokers = os.environ.get(BROKERS)
    if brokers:
        group = f"{names.system}.{feed.stream}"
        return KafkaTopic(KafkaSettings(brokers=brokers, topic=feed.stream, group=group))
    settings = ValkeySettings(address=address, stream=feed.stream, partitions=feed.partitions)
    return ValkeyStream(settings, names, LeaseTerms(replica))
