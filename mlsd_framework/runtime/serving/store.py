"""Where the online store is: the supervisor tells its workers."""

import os

from mlsd_framework.diagnostics.errors import RunError

VARIABLE = "MLSD_STORE_URL"


def store_url() -> str:
    """Return the address of the online store from the environment; raise E6414 where nothing tells it."""
    url = os.environ.get(VARIABLE)
    if not url:
        raise RunError.of(
            "E6414",
            f"`{VARIABLE}` is not set, and the service reads features",
            expected="a redis://, rediss:// or unix:// URL",
            help="`mlsd deploy` sets it",
        )
    return url
