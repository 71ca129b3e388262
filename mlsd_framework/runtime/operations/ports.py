"""The listening socket of a service, and who holds a port that is taken."""

import errno
import socket
from pathlib import Path

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.operations.processes import name_of

_BACKLOG = 2048
_LISTEN = "0A"


def listen(host: str, port: int) -> socket.socket:
    """Return a listening, non-blocking TCP socket on `host`:`port` (0: any free port).

    Raises `RunError` E6501 where the port is taken, E6502 where the address cannot be listened on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, OverflowError, UnicodeError) as fault:
        raise _not_listenable(host, port, str(fault)) from fault
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as fault:
        listener.close()
        if fault.errno == errno.EADDRINUSE:
            raise _port_taken(host, port) from fault
        raise _not_listenable(host, port, fault.strerror or str(fault)) from fault
    listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return listener


def holders(port: int) -> tuple[int, ...]:
    """Return the pids that listen on TCP `port`, as far as this user may see them (Linux only)."""
    inodes = _listening_inodes(port)
    found = set()
    for descriptor in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            found.add(int(descriptor.parts[2]))
    return tuple(sorted(found))


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _port_taken(host: str, port: int) -> RunError:
    pids = holders(port)
    names = ", ".join(f"`{name_of(pid) or 'unknown'}` (pid {pid})" for pid in pids[:4])
    by = f" by {names}" if names else " by a process that this user cannot see"
    return RunError.of(
        "E6501",
        f"port {port} on `{host}` is taken{by}",
        expected="a port on which nothing listens",
        help="end that process, or serve on another port (0 takes any free one)",
    )


def _not_listenable(host: str, port: int, reason: str) -> RunError:
    return RunError.of(
        "E6502",
        f"the service cannot listen on `{host}` port {port}: {reason}",
        expected="an address of this machine and a port from 0 to 65535 (below 1024 only as root)",
    )
