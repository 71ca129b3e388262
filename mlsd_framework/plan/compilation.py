"""From a path to a checked system: load, lower, pass by pass; every fault at once, in order of place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.ir.system import System
from mlsd_framework.lower.system import lower_system
from mlsd_framework.passes import check
from mlsd_framework.plugin.registry import Registry, installed
from mlsd_framework.spec.loading import Loaded, load


@dataclass(frozen=True)
class Compiled:
    """A system without faults, the spec that it came from, and what is only worth a warning."""

    system: System
    loaded: Loaded
    registry: Registry
    warnings: tuple[Diagnostic, ...] = ()


def compile_spec(path: Path, *, environment: str | None = None, assignments: Sequence[str] = ()) -> Compiled:
    """Compile the spec at `path`; raise `SpecError` with every fault, in order of place."""
    registry = installed()
    loaded = load(path, registry.spec, environment=environment, assignments=assignments)
    system, faults = lower_system(loaded, registry.kinds)
    found = sorted([*faults, *check(system, whole=not faults)], key=_place)
    if any(one.severity == "error" for one in found):
        raise SpecError(found)
    return Compiled(system, loaded, registry, tuple(found))


def _place(one: Diagnostic) -> tuple[str, int, int]:
    return (one.span.path, one.span.line, one.span.column) if one.span else ("", 0, 0)
