"""A YAML file as data whose every key and value still knows its place."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.spec.limits import LOADER, check_events, check_size, span_of, syntax_fault

Path_ = Sequence[str | int]
Data = dict[str, Any] | list[Any] | str | int | float | bool | None

# YAML 1.2's core schema: `no` and `on` are text, `1e3` is a number, `0o17` is octal.
_INT = re.compile(r"[-+]?[0-9]+\Z")
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, Data] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WORDS |= {".inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan")}
_MAX_DIGITS = 400
_MOST_FAULTS = 100


def dotted(at: Path_) -> str:
    """Write a path as a person does: `models.rank.features[1]`."""
    text = ""
    for part in at:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


@dataclass(frozen=True)
class Document:
    """One composed YAML file: `data` to validate, `place` to say where a piece of it stands."""

    path: str
    text: str
    node: Any
    data: Data

    def place(self, at: Path_, *, key: bool = False) -> Span:
        """Return the span of the value at `at`, or of its key.

        Parts of `at` that the file does not have are skipped: pydantic's union tags, the long
        form's names where the short form is written, and a missing key, which so points at its
        parent's key.
        """
        node, key_node, _ = self._walk(at)
        if (key or not isinstance(node, yaml.ScalarNode)) and key_node is not None:
            return span_of(self.path, key_node.start_mark, key_node.end_mark)
        if node is self.node and not isinstance(node, yaml.ScalarNode):
            return Span(self.path, 1, 1, 1, 1)
        return span_of(self.path, node.start_mark, _end(node))

    def scalar(self, at: Path_) -> Any | None:
        """Return the YAML scalar node at `at`, for places inside its text, or none."""
        node, _, exact = self._walk(at)
        return node if exact and isinstance(node, yaml.ScalarNode) else None

    def extent(self, at: Path_) -> Span:
        """Return the span of the whole value at `at`, over all its lines."""
        node = self._walk(at)[0]
        return span_of(self.path, node.start_mark, node.end_mark)

    def has(self, at: Path_) -> bool:
        """Say whether the file itself writes the value at `at`."""
        return len(self.present(at)) == len(at)

    def below(self, at: Path_) -> "Document | None":
        """Return what stands at `at` as a document of its own, or none where the file has no mapping there."""
        if not self.has(at):
            return None
        data: Any = self.data
        for part in at:
            data = data[part]
        node = self._walk(at)[0]
        return Document(self.path, self.text, node, data) if isinstance(node, yaml.MappingNode) else None

    def present(self, at: Path_) -> tuple[str | int, ...]:
        """Return the parts of `at` that the file writes."""
        node, found = self.node, []
        for part in at:
            step = _step(node, part)
            if step is not None:
                found.append(part)
                node = step[1]
        return tuple(found)

    def _walk(self, at: Path_) -> tuple[Any, Any | None, bool]:
        node, key_node, exact = self.node, None, True
        for part in at:
            step = _step(node, part)
            exact = step is not None
            if step is not None:
                key_node, node = (step[0] or key_node), step[1]
        return node, key_node, exact


def _step(node: Any, part: str | int) -> tuple[Any | None, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    elif isinstance(node, yaml.ScalarNode) and node.value == part:  # `- roc_auc`, short for `- roc_auc: {}`
        return node, node
    return None


def _end(node: Any) -> Any:
    """End a block value on its own first line, not where the parser noticed its end."""
    return node.end_mark if node.end_mark.line == node.start_mark.line else node.start_mark


def read_document(path: Path) -> Document:
    """Read and compose the YAML file at `path`; raise `SpecError` where it is not one."""
    shown = str(path)
    try:
        check_size(shown, path.stat().st_size)
        raw = path.read_bytes()
    except OSError as fault:
        what = f"`{shown}` cannot be read: {fault.strerror}"
        raise SpecError(
            Diagnostic(code="E1000", what=what, help="name a spec file, such as `specs/fraud.yaml`")
        ) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        start = raw.rfind(b"\n", 0, fault.start) + 1
        line = raw.count(b"\n", 0, fault.start) + 1
        column = len(raw[start : fault.start].decode("utf-8", errors="replace")) + 1
        span = Span(shown, line, column, line, column + 1)
        help_ = "save the file as UTF-8"
        raise SpecError(Diagnostic(code="E1002", what="the file is not UTF-8 text", span=span, help=help_)) from None
    return parse_document(text, shown)


def parse_document(text: str, path: str) -> Document:
    """Compose `text`, named `path` in messages; raise `SpecError` where it is not a spec's YAML."""
    check_size(path, len(text))
    check_events(text, path)
    try:
        node = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as fault:
        raise SpecError(syntax_fault(fault, path, text)) from None
    if not isinstance(node, yaml.MappingNode):
        span = Span(path, 1, 1, 1, 1)
        raise SpecError(
            Diagnostic(
                code="E1009", what="the file holds no mapping", span=span, expected="sections such as `sources:`"
            )
        )
    faults: list[Diagnostic] = []
    data = _to_data(node, path, faults)
    if faults:
        raise SpecError(faults)
    return Document(path, text, node, data)


def _to_data(node: Any, path: str, faults: list[Diagnostic]) -> Data:
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(node, path, faults))
    if isinstance(node, yaml.SequenceNode):
        return [_to_data(item, path, faults) for item in node.value]
    return _scalar(node)


def _pairs(node: Any, path: str, faults: list[Diagnostic]) -> Iterator[tuple[str, Data]]:
    seen: dict[str, Span] = {}
    for key, value in node.value:
        span = span_of(path, key.start_mark, _end(key))
        if not isinstance(key, yaml.ScalarNode):
            faults.append(
                Diagnostic(code="E1010", what="a key is not a name", span=span, expected="plain text before the colon")
            )
            continue
        if key.value in seen:
            note = f"first written at {seen[key.value]}"
            faults.append(
                Diagnostic(code="E1011", what=f"the key `{key.value}` is written twice", span=span, notes=(note,))
            )
            if len(faults) >= _MOST_FAULTS:
                raise SpecError(faults)
            continue
        seen[key.value] = span
        yield key.value, _to_data(value, path, faults)


def _scalar(node: Any) -> Data:
    text: str = node.value
    if node.style:  # quoted or block; plain is `None` to PyYAML and empty to libyaml
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _MAX_DIGITS:
        return text
    if _INT.match(text):
        return int(text)
    if _BASED.match(text):
        return int(text, 0)
    return float(text) if _FLOAT.match(text) else text
