"""Where the brokers of topics are: the variables by which `mlsd deploy` tells updaters and workers."""

import os
from dataclasses import dataclass

import msgspec

from mlsd_framework.diagnostics.errors import RunError

BROKERS = "MLSD_KAFKA_BROKERS"
OPTIONS = "MLSD_KAFKA_OPTIONS"


@dataclass(frozen=True, slots=True)
class Brokers:
    """Brokers as `HOST:PORT,…`, and librdkafka's options to speak to them."""

    addresses: str
    options: dict[str, str]


def brokers_told() -> Brokers | None:
    """Return the brokers that this process was told of; none where streams are in the store (E6604)."""
    addresses = os.environ.get(BROKERS)
    if not addresses:
        return None
    try:
        options = msgspec.json.decode(os.environ.get(OPTIONS) or "{}", type=dict[str, str])
    except msgspec.MsgspecError as fault:
        raise RunError.of(
            "E6604", f"`{OPTIONS}` cannot be read: {fault}", expected="a JSON object of librdkafka's options"
        ) from fault
    return Brokers(addresses, options)
