"""One process of a decision service.

`python -m mlsd_framework.runtime.serving.worker --fd N --service FILE --bundle DIR`.

It takes over a listening socket, loads the service, says that it is ready, and answers until it is told to drain.
"""

import argparse
import gc
import importlib.util
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.access import Access
from mlsd_framework.runtime.serving.application import Application
from mlsd_framework.runtime.serving.bundle import VARIABLE
from mlsd_framework.runtime.serving.logs import JsonHandler, Log
from mlsd_framework.runtime.serving.telemetry import Telemetry

if TYPE_CHECKING:
    from mlsd_framework.runtime.serving.http import AsgiApp

REFUSED = 3
KEEP_ALIVE_SECONDS = 75


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker; return 0 when it drained, 3 when what it was given cannot be served."""
    options = _options(arguments)
    # A copy: an index that is built while it serves keeps its library quiet on the descriptor itself.
    log = Log(options.worker, os.dup(2))
    try:
        _serve(options, log)
    except RunError as error:
        log.close()
        print(_text(error), file=sys.stderr, flush=True)  # noqa: T201 - a process has no other way to say it
        return REFUSED
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mlsd worker", description="One process of a decision service.")
    parser.add_argument("--fd", type=int, required=True, help="listening socket")
    parser.add_argument("--service", type=Path, required=True, help="service.py")
    parser.add_argument("--bundle", type=Path, required=True, help="folder of the version")
    parser.add_argument("--worker", default=os.environ.get("MLSD_WORKER", "0"), help="name among the living workers")
    parser.add_argument("--metrics-dir", type=Path, help="folder that all workers of the service share")
    parser.add_argument("--changes", type=Path, help="folder of what has changed of the version's items")
    parser.add_argument("--ready-fd", type=int, help="where to write one line when ready")
    parser.add_argument("--drain", type=float, default=10.0, help="most seconds that a stop may take")
    return parser.parse_args(arguments)


def _serve(options: argparse.Namespace, log: Log) -> None:
    os.environ[VARIABLE] = str(options.bundle)
    gc.disable()  # until it is ready: importing makes much and leaves little behind
    listening = _listening(options.fd)
    Access.from_environment().check_binding(listening)
    module = load_service(options.service)
    application = application_of(module, options.service)
    telemetry = Telemetry(application.system, "", options.worker, options.metrics_dir)
    application.start(telemetry=telemetry, log=log, changes=options.changes)
    logging.basicConfig(handlers=[JsonHandler(log)], level=logging.WARNING, force=True)
    app = _asgi(module, options.service)

    def ready() -> None:
        # What start-up has made lives as long as the process: the collector need not walk over it again.
        gc.collect()
        gc.freeze()
        gc.enable()
        seconds = round(_age(), 3)
        log.event("ready", version=application.version, seconds=seconds)
        log.flush()
        if options.ready_fd is not None:
            line = {"ready": True, "pid": os.getpid(), "version": application.version, "seconds": seconds}
            with os.fdopen(options.ready_fd, "w") as pipe:
                pipe.write(json.dumps(line) + "\n")

    _run(app, application, listening, options.drain, ready)
    log.event("drained", version=application.version)
    log.close()


def _run(
    app: "AsgiApp", application: Application, listening: socket.socket, drain: float, ready: Callable[[], None]
) -> None:
    import uvicorn  # noqa: PLC0415 - after what is refused before it is paid for

    from mlsd_framework.runtime.serving.protocol import Connection  # noqa: PLC0415 - imports uvicorn
    from mlsd_framework.runtime.serving.server import WorkerServer  # noqa: PLC0415 - imports uvicorn

    config = uvicorn.Config(
        app=app,
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(drain - 2)),
    )
    WorkerServer(config, application, ready).run(sockets=[listening])


def _listening(descriptor: int) -> socket.socket:
    try:
        listening = socket.socket(fileno=descriptor)
        if listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return listening
    except OSError as fault:
        raise RunError.of("E6412", f"descriptor {descriptor} is not a socket: {fault}") from fault
    raise RunError.of("E6412", f"the socket of descriptor {descriptor} does not listen")


def load_service(path: Path) -> ModuleType:
    """Import the service's file under the name `service` (E6410)."""
    found = importlib.util.spec_from_file_location("service", path)
    if found is None or found.loader is None or not path.is_file():
        raise RunError.of("E6410", f"there is no service at `{path}`", expected="a Python file")
    module = importlib.util.module_from_spec(found)
    sys.modules["service"] = module
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        found.loader.exec_module(module)
    except (ImportError, SyntaxError, NameError, AttributeError, TypeError) as fault:
        raise RunError.of("E6410", f"`{path}` cannot be loaded: {type(fault).__name__}: {fault}") from fault
    return module


def application_of(module: ModuleType, path: Path) -> Application:
    """Return the application that the service's module, from the file `path`, declares (E6410)."""
    for value in vars(module).values():
        if isinstance(value, Application):
            return value
    raise RunError.of("E6410", f"`{path}` defines no `Application`")


def _asgi(module: ModuleType, path: Path) -> "AsgiApp":
    from mlsd_framework.runtime.serving.bento import FrontedService  # noqa: PLC0415 - BentoML, which the service imported

    for value in vars(module).values():
        if isinstance(value, FrontedService):
            return value.to_asgi()
    raise RunError.of("E6410", f"`{path}` defines no BentoML service behind `@in_front(APP)`")


def _age() -> float:
    """Return the seconds since this process was made; where the system does not say, since Python's clock began."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        return time.process_time()


def _text(error: RunError) -> str:
    lines = []
    for fault in error.diagnostics:
        lines.append(f"error[{fault.code}]: {fault.what}")
        lines += [f"  = expected: {fault.expected}"] if fault.expected else []
        lines += [f"  = help: {fault.help}"] if fault.help else []
        lines += [f"  = note: {note}" for note in fault.notes]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
