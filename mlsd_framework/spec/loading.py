"""From a file to a validated `SystemSpec`: overlays are merged, faults get their places, origins are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.spec.document import Document, read_document
from mlsd_framework.spec.faults import explain
from mlsd_framework.spec.overlay import Assignment, merge, parse_assignment
from mlsd_framework.spec.system import SystemSpec

Loc = tuple[str | int, ...]
DEFAULT_ENVIRONMENT = "local"


@dataclass(frozen=True)
class Overlays:
    """The file and what is laid over it for one environment: where each value was written."""

    document: Document
    environment: str
    assignments: tuple[Assignment, ...] = ()

    def place(self, at: Loc, *, key: bool = False) -> Span:
        """Return the span of the value at `at`, or of its key, in the layer that wrote it."""
        assignment = self._assigned(at)
        if assignment is not None:
            return Span(f"--set {assignment.text}", 1, 1, 1, 1)
        return self.document.place(self._written(at), key=key)

    def present(self, at: Loc) -> Loc:
        """Return the parts of `at` that some layer writes."""
        overlay = self.document.present(self._overlay(at))[3:]
        found = max(self.document.present(at), overlay, key=len)
        assignment = self._assigned(at)
        return max(found, assignment.at, key=len) if assignment else found

    def scalar(self, at: Loc) -> Any | None:
        """Return the YAML scalar that wrote the value at `at`, or none."""
        return None if self._assigned(at) else self.document.scalar(self._written(at))

    def origin(self, at: Loc) -> str:
        """Say where the value at `at` came from: a line of the file, `--set`, or a default."""
        assignment = self._assigned(at)
        if assignment is not None:
            return f"--set {assignment.text}"
        for where, prefix in ((self._overlay(at), f"environment `{self.environment}`, "), (at, "")):
            # A key of the long form stands where the short form was written: a scalar in the mapping's place.
            short = self.document.scalar(where[:-1]) if self.document.has(where[: len(where) - len(at)]) else None
            if self.document.has(where) or short is not None:
                return f"{prefix}line {self.document.place(where, key=True).line}"
        return "default"

    def _overlay(self, at: Loc) -> Loc:
        return ("environments", self.environment, "overrides", *at)

    def _written(self, at: Loc) -> Loc:
        overlay = self._overlay(at)
        longer = len(self.document.present(overlay)) - len(overlay) > len(self.document.present(at)) - len(at)
        return overlay if longer or self.document.has(overlay) else at

    def _assigned(self, at: Loc) -> Assignment | None:
        written = tuple(str(part) for part in at)
        found = [one for one in self.assignments if written[: len(one.at)] == one.at]
        return found[-1] if found else None


@dataclass(frozen=True)
class Loaded:
    """A validated spec with the layers that wrote it."""

    spec: SystemSpec
    layers: Overlays

    @property
    def environment(self) -> str:
        """Return the environment that the spec was resolved for."""
        return self.layers.environment


def load(
    path: Path, model: type[SystemSpec], *, environment: str | None = None, assignments: Sequence[str] = ()
) -> Loaded:
    """Read, merge and validate the spec at `path`; raise `SpecError` with every fault, in order of place."""
    document = read_document(path)
    data = cast(dict[str, Any], document.data)
    name = _environment(document, data, environment)
    layers = Overlays(document, name, tuple(parse_assignment(text) for text in assignments))
    try:
        spec = model.model_validate(merge(data, _overrides(data, name), layers.assignments))
    except ValidationError as fault:
        raise SpecError(explain(fault, model, layers)) from None
    return Loaded(spec, layers)


def _environment(document: Document, data: dict[str, Any], wanted: str | None) -> str:
    declared = data.get("environments")
    names = list(declared) if isinstance(declared, dict) and declared else [DEFAULT_ENVIRONMENT]
    if wanted is None:
        return DEFAULT_ENVIRONMENT if DEFAULT_ENVIRONMENT in names else names[0]
    if wanted not in names:
        near = nearest(wanted, names)
        raise SpecError(
            Diagnostic(
                code="E2011",
                what=f"the environment `{wanted}` is not declared",
                span=document.place(("environments",), key=True),
                expected=f"one of: {', '.join(sorted(names))}",
                help=f"did you mean `{near}`?" if near else None,
            )
        )
    return wanted


def _overrides(data: dict[str, Any], name: str) -> dict[str, Any]:
    declared = data.get("environments")
    entry = declared.get(name) if isinstance(declared, dict) else None
    overrides = entry.get("overrides") if isinstance(entry, dict) else None
    return overrides if isinstance(overrides, dict) else {}
