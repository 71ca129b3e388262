"""What is done, as `state.json` remembers it: each stage's fingerprint, its parts, and the files that it left."""

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mlsd_framework.diagnostics.errors import PlanError, RunError
from mlsd_framework.plan.digest import digest
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.workspace import Workspace

Stamps = Mapping[str, tuple[int, int]]
"""Path below the project to size and moment of the last change, in bytes and nanoseconds."""


@dataclass(frozen=True, slots=True)
class Record:
    """One stage as it was last done. `when` is microseconds UTC; `said` is the last line that it printed."""

    fingerprint: str
    parts: Mapping[str, str]
    outputs: Stamps
    when: int
    seconds: float
    said: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """A version that served: its bundle's id, and the folder of the service's code that belongs to it."""

    version: str
    service: str
    when: int


@dataclass(frozen=True, slots=True)
class State:
    """All records; `digests` are SHA-256 of local files with their stamps, `contract` is what callers rely on."""

    stages: Mapping[str, Record] = field(default_factory=dict)
    digests: Mapping[str, tuple[int, int, str]] = field(default_factory=dict)
    contract: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    history: tuple[Served, ...] = ()
    damaged: bool = False

    @property
    def fingerprint(self) -> str:
        """Return a fingerprint of what is done; digests are a cache and do not count."""
        done = {name: [one.fingerprint, dict(one.outputs)] for name, one in self.stages.items()}
        return digest(done, [asdict(one) for one in self.history])

    def with_record(self, name: str, record: Record) -> "State":
        """Return the state with one stage done."""
        return replace(self, stages={**self.stages, name: record})

    def without(self, name: str) -> "State":
        """Return the state with one stage forgotten."""
        return replace(self, stages={one: record for one, record in self.stages.items() if one != name})


def read_state(place: Workspace) -> State:
    """Return what is done; a missing file is an empty state, and what cannot be read of a damaged one is not done."""
    try:
        data = json.loads(place.state.read_bytes())
    except FileNotFoundError:
        return State()
    except (OSError, ValueError):
        return State(damaged=True)
    if not isinstance(data, dict):
        return State(damaged=True)
    stages = _entries(data.get("stages"), _record)
    digests = _entries(data.get("digests"), _digest)
    contract = _entries(data.get("contract"), _columns)
    history = data.get("history")
    served = tuple(one for one in map(_served, history if isinstance(history, list) else []) if one)
    listed = data.get("stages")
    whole = isinstance(listed, dict) and len(stages) == len(listed) and isinstance(history, list)
    return State(stages, digests, contract, served, damaged=not whole)


def write_state(place: Workspace, state: State) -> None:
    """Write what is done; a kill leaves the old file or the new one. Raises `PlanError` E5014 where that cannot be."""
    data = {"mlsd": 1, **asdict(state)}
    del data["damaged"]
    try:
        atomic.write_text(place.state, json.dumps(data, indent=1, sort_keys=True) + "\n")
    except OSError as fault:
        raise not_written(place.state, fault) from fault


def not_written(path: Path, fault: OSError) -> PlanError:
    """Return the error of a file that cannot be written."""
    error = RunError.of(
        "E5014",
        f"`{path}` cannot be written: {fault.strerror or fault}",
        help="free some space or mend permissions; what was there is intact, and the next run goes on",
    )
    return PlanError(error.diagnostics)


def stamps(root: Path, paths: Iterable[str]) -> dict[str, tuple[int, int]] | None:
    """Return the stamps of files, and of every file below folders; none where one of `paths` is missing or empty."""
    found: dict[str, tuple[int, int]] = {}
    for path in paths:
        place = root / path
        files = sorted(_files(place)) if place.is_dir() else [str(place)]
        if not files:
            return None
        try:
            for file in files:
                stat = os.stat(file)  # noqa: PTH116 - a folder of data has many files
                found[os.path.relpath(file, root)] = (stat.st_size, stat.st_mtime_ns)
        except OSError:
            return None
    return found


def now() -> int:
    """Return this moment in microseconds UTC."""
    return time.time_ns() // 1000


def _files(folder: Path) -> list[str]:
    found = []
    for path, folders, names in os.walk(folder):
        folders.sort()
        # What is hidden is a temporary file of a write under way, or left by one that was killed.
        found += [os.path.join(path, name) for name in names if not name.startswith(".")]  # noqa: PTH118 - `os.walk` gives text
    return found


def _entries(data: Any, read: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON that may be damaged
    if not isinstance(data, dict):
        return {}
    found = {}
    for name, entry in data.items():
        try:
            found[name] = read(entry)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue  # a damaged entry is as good as none: its stage is done again
    return found


def _record(data: Any) -> Record:  # noqa: ANN401 - the same
    return Record(
        fingerprint=str(data["fingerprint"]),
        parts={str(name): str(text) for name, text in data["parts"].items()},
        outputs={str(path): (int(size), int(moment)) for path, (size, moment) in data["outputs"].items()},
        when=int(data["when"]),
        seconds=float(data["seconds"]),
        said=str(data["said"]),
        version=str(data["version"]),
    )


def _served(data: Any) -> Served | None:  # noqa: ANN401 - the same
    try:
        return Served(str(data["version"]), str(data["service"]), int(data["when"]))
    except (KeyError, TypeError, ValueError):
        return None


def _digest(data: Any) -> tuple[int, int, str]:  # noqa: ANN401 - the same
    size, moment, digest = data
    return int(size), int(moment), str(digest)


def _columns(data: Any) -> dict[str, str]:  # noqa: ANN401 - the same
    return {str(name): str(text) for name, text in data.items()}
