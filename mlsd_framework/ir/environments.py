"""Where a system runs."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from mlsd_framework.diagnostics.span import Span


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by reference; its value is in no artefact."""

    source: Literal["env", "file"]
    name: str


@dataclass(frozen=True, slots=True)
class Kafka:
    """Brokers that keep streams as topics; `ca` is a file, everything that is secret a reference."""

    brokers: Secret
    protocol: str = "plaintext"
    mechanism: str | None = None
    username: Secret | None = None
    password: Secret | None = None
    ca: str | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """One place to run; `online_store` is none for the embedded one, `stream` where streams are in the store too.

    `offline` says what computes features of a log.
    """

    name: str
    host: str
    port: int
    workers: int
    online_store: Secret | None
    store_memory: int
    store_evict: Literal["never", "idle_states"]
    stream: Kafka | None
    updaters: int
    token: Secret | None
    target: Literal["local", "kubernetes"]
    drain: timedelta
    offline: Literal["polars", "spark"] = "polars"
    span: Span | None = None

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in ("127.0.0.1", "::1", "[::1]", "localhost")
