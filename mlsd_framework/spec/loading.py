"""From a file to a validated `SystemSpec`: overlays are merged, faults get their places, origins are kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

from pydantic import ValidationError

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.spec.document import Document, read_document
from mlsd_framework.spec.faults import explain
from mlsd_framework.spec.overlay import Assignment, merge, parse_assignment
from mlsd_framework.spec.secrets import secrets_in_clear
from mlsd_framework.spec.system import SECTIONS, SystemSpec

Loc = tuple[str | int, ...]
DEFAULT_ENVIRONMENT: Final = "local"
_OVERRIDABLE: Final = tuple(section for section in SECTIONS if section != "environments")


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
        return self._layer(at).place(at, key=key)

    def extent(self, at: Loc) -> Span:
        """Return the span of the whole value at `at`, over all its lines."""
        return self.place(at) if self._assigned(at) else self._layer(at).extent(at)

    def present(self, at: Loc) -> Loc:
        """Return the parts of `at` that some layer writes."""
        found = self._layer(at).present(at)
        assignment = self._assigned(at)
        return max(found, at[: len(assignment.at)], key=len) if assignment else found

    def scalar(self, at: Loc) -> Any | None:
        """Return the YAML scalar that wrote the value at `at`, or none."""
        return None if self._assigned(at) else self._layer(at).scalar(at)

    def origin(self, at: Loc) -> str:
        """Say where the value at `at` came from: a line of the file, `--set`, or a default."""
        assignment = self._assigned(at)
        if assignment is not None:
            return f"--set {assignment.text}"
        layer = self._layer(at)
        # A key of the long form stands where the short form was written: a scalar in the mapping's place.
        if not layer.has(at) and (not at or layer.scalar(at[:-1]) is None):
            return "default"
        prefix = "" if layer is self.document else f"environment `{self.environment}`, "
        return f"{prefix}line {layer.place(at, key=True).line}"

    @cached_property
    def _overrides(self) -> Document | None:
        """Return the environment's overrides as a document of their own."""
        return self.document.below(("environments", self.environment, "overrides"))

    def _layer(self, at: Loc) -> Document:
        """Return the document that wrote what stands at `at`, or most of the way to it."""
        over = self._overrides
        if over is None:
            return self.document
        depth = len(over.present(at))
        return over if depth and depth >= len(self.document.present(at)) else self.document

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
    data = cast("dict[str, Any]", document.data)
    faults = list(secrets_in_clear(document)) or list(_overrides_faults(document, data))
    if faults:
        raise SpecError(faults)
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
        fault = Diagnostic(
            code="E2011",
            what=f"the environment `{wanted}` is not declared",
            span=document.place(("environments",), key=True),
            expected=f"one of: {', '.join(sorted(names))}",
            help=f"did you mean `{near}`?" if near else None,
        )
        raise SpecError(fault)
    return wanted


def _overrides(data: dict[str, Any], name: str) -> dict[str, Any]:
    declared = data.get("environments")
    entry = declared.get(name) if isinstance(declared, dict) else None
    overrides = entry.get("overrides") if isinstance(entry, dict) else None
    return overrides if isinstance(overrides, dict) else {}


def _overrides_faults(document: Document, data: dict[str, Any]) -> Iterator[Diagnostic]:
    """Find sections that no overlay can change, in every environment, whichever is chosen."""
    declared = data.get("environments")
    for name in declared if isinstance(declared, dict) else ():
        for section in _overrides(data, name):
            if section in _OVERRIDABLE:
                continue
            near = None if section in SystemSpec.model_fields else nearest(section, _OVERRIDABLE)
            yield Diagnostic(
                code="E1013",
                what=f"`environments.{name}.overrides` names `{section}`, which no environment can change",
                span=document.place(("environments", name, "overrides", section), key=True),
                expected=f"one of: {', '.join(_OVERRIDABLE)}",
                help=f"did you mean `{near}`?" if near else None,
            )
