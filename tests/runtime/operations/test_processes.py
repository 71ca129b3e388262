"""A process is known by pid and moment of start; ports by who listens on them."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from mlsd_framework.diagnostics.codes.operations import CODES
from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.operations.kept import ending, pause
from mlsd_framework.runtime.operations.ports import holders, listen
from mlsd_framework.runtime.operations.processes import ProcessIdentity, end, identify, is_alive, send
from mlsd_framework.runtime.operations.status import Status


def test_a_process_is_alive_until_it_ends_though_nobody_waits_for_it() -> None:
    """A zombie counts as ended; a second signal finds nothing."""
    child = subprocess.Popen(["sleep", "60"])
    found = identify(child.pid)
    assert found
    assert is_alive(found)
    assert end(found, 5.0)
    assert not is_alive(found)
    assert not send(found, signal.SIGKILL)
    assert child.wait() == -signal.SIGTERM


def test_another_moment_of_start_is_another_process() -> None:
    """No signal goes to this very process under a wrong moment of start."""
    assert not send(ProcessIdentity(os.getpid(), "boot:0"), signal.SIGKILL)
    assert not end(ProcessIdentity(os.getpid(), ""), 0.1)


def test_a_name_with_brackets_and_spaces_does_not_confuse() -> None:
    """The moment of start is read behind the last bracket."""
    code = "import time; open('/proc/self/comm', 'w').write(') R 1 (x'); print(flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    found = identify(child.pid)
    assert found
    assert found.started.rpartition(":")[2].isdigit()
    assert end(found, 5.0)
    child.stdout.close()
    child.wait()


def test_who_listens_is_found() -> None:
    """This process, for a port of its own; nobody, for one that is free."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert holders(port) == (os.getpid(),)
        with pytest.raises(RunError, match=f"port {port} on `127.0.0.1` is taken by `"):
            listen("127.0.0.1", port)
    assert holders(port) == ()


@pytest.mark.parametrize(
    ("host", "port"), [("192.0.2.1", 0), ("no such host", 0), ("127.0.0.1", 70000), ("x" * 300, 1)]
)
def test_an_address_that_is_not_ours_is_an_error_with_a_code(host: str, port: int) -> None:
    """No traceback for a wrong host or port."""
    with pytest.raises(RunError, match="E6502"):
        listen(host, port)


def test_a_port_is_free_again_at_once() -> None:
    """Connections that linger after a stop do not hold it."""
    listener = listen("127.0.0.1", 0)
    address = listener.getsockname()
    listener.setblocking(True)
    with socket.create_connection(address):
        accepted, _ = listener.accept()
        listener.close()
        accepted.close()
    listen(*address).close()


def test_pauses_grow_to_a_limit() -> None:
    """None after a long life, then doubling."""
    assert [pause(quick) for quick in (0, 1, 2, 3)] == [0.0, 0.1, 0.2, 0.4]
    assert pause(50) == 30.0


def test_endings_are_named() -> None:
    """Signals by name, exits by status."""
    assert (ending(-9), ending(3), ending(-64)) == ("SIGKILL", "exit status 3", "SIGRTMAX")


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:5"), ("::1", "http://[::1]:5"), ("0.0.0.0", "http://127.0.0.1:5")],  # noqa: S104 - an address to write, none is bound
)
def test_the_url_can_be_opened(host: str, url: str) -> None:
    """An address that means `any` is shown as one that a browser takes."""
    assert Status(system="s", state="ready", host=host, port=5).url == url


def test_codes_are_in_order_and_in_their_range() -> None:
    """Each code once, 65xx."""
    codes = [entry.code for entry in CODES]
    assert codes == sorted(set(codes))
    assert all(code.startswith("E65") for code in codes)
