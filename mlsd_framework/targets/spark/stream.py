"""`spark/stream.py`: live groups fed by Structured Streaming, of the feeds that the training scripts declare."""

from dataclasses import dataclass

from mlsd_framework.codegen.python import Call, Raw, assigned, emit
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.system import System


@dataclass(frozen=True, slots=True)
class StreamFile:
    """The context of `spark/stream.py.j2`."""

    spec: str
    session: list[str]
    run: str


def stream_file(system: System, spec: str) -> str:
    """Return the text of `spark/stream.py`."""
    names = Call("LiveNames", (system.name, Raw("FINGERPRINT")))
    run = Call("run_stream", (Raw("spark"), Raw("FEEDS"), names, Raw("arguments"), Raw("WORKSPACE")))
    session = assigned("spark", Call("session", (system.name, ())), 1)
    return render("spark/stream.py.j2", StreamFile(spec, session, emit(run, 1)))
