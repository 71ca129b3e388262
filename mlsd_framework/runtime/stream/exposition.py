"""The updater's own small listener: its metrics in the Prometheus text format, on loopback unless told otherwise."""

import contextlib
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server

from mlsd_framework.diagnostics.errors import RunError


@contextlib.contextmanager
def serve_metrics(registry: CollectorRegistry, address: tuple[str, int] | None) -> Iterator[int]:
    """Serve a registry's metrics meanwhile; yield the port, 0 where there is no address to listen on (E6608)."""
    if address is None:
        yield 0
        return
    host, port = address
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as fault:
        raise RunError.of(
            "E6608",
            f"the updater's metrics cannot be shown at `{host}:{port}`: {fault.strerror}",
            expected="a free port of this machine, or 0 for any",
        ) from fault
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
