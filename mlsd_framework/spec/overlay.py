"""Overlays: an environment's `overrides` and `--set KEY=VALUE`, merged over the file's data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.diagnostics.secrets import holds_secret
from mlsd_framework.spec.document import Data, parse_document
from mlsd_framework.spec.secrets import EXPECTED


@dataclass(frozen=True, slots=True)
class Assignment:
    """One `--set`: its text, the path of the value, the value."""

    text: str
    at: tuple[str, ...]
    value: Data


def parse_assignment(text: str) -> Assignment:
    """Read `models.fraud.iterations=500`; the value is read as YAML, under the same limits as a spec."""
    key, sign, value = text.partition("=")
    parts = tuple(part.strip() for part in key.split("."))
    if holds_secret(text):
        what = f"the value of `--set {'…' if holds_secret(key) else key}` looks like a secret written in clear"
        raise SpecError(Diagnostic(code="E1105", what=what, expected=EXPECTED))
    if not sign or not all(parts) or "\n" in text or "\r" in text:
        what = f"`--set {' '.join(text.split())}` is not an assignment"
        raise SpecError(Diagnostic(code="E1012", what=what, expected="KEY=VALUE, such as models.fraud.iterations=500"))
    document = parse_document(f"value: {value}", f"--set {text}")
    data = cast("dict[str, Data]", document.data)
    return Assignment(text, parts, data["value"])


def merge(data: dict[str, Any], overrides: dict[str, Any], assignments: Sequence[Assignment]) -> dict[str, Any]:
    """Merge overrides, then assignments in their order, over `data`: mappings by key, everything else replaced whole.

    An override of null takes its key away.
    """
    merged = _without_nulls(_merged(data, overrides), overrides) if overrides else data
    for one in assignments:
        merged = _assigned(merged, one.at, one)
    return merged


def _without_nulls(merged: Any, over: dict[str, Any]) -> Any:
    """Take away the keys that an override gives as null, as `split: {by: time, seed: null}` does with a seed."""
    if not isinstance(merged, dict):
        return merged
    gone = {key for key, value in over.items() if value is None}
    below = {key: value for key, value in over.items() if isinstance(value, dict)}
    return {key: _without_nulls(item, below.get(key, {})) for key, item in merged.items() if key not in gone}


def _assigned(holder: Any, at: tuple[str, ...], one: Assignment) -> Any:
    """Return `holder` with the value of an assignment at the path `at`; a number names an item of a list."""
    if not at:
        both = isinstance(holder, dict) and isinstance(one.value, dict)
        return _merged(holder, cast("dict[str, Any]", one.value)) if both else one.value
    part, below = at[0], at[1:]
    if isinstance(holder, list) and part.isascii() and part.isdigit() and int(part) < len(holder):
        index = int(part)
        return [*holder[:index], _assigned(holder[index], below, one), *holder[index + 1 :]]
    if isinstance(holder, dict):
        return {**holder, part: _assigned(holder.get(part, {} if below else None), below, one)}
    what = f"`--set {one.text}` names nothing: there is no `{'.'.join(one.at[: len(one.at) - len(below)])}`"
    raise SpecError(Diagnostic(code="E1012", what=what, expected="the path of a key, or of an item by its number"))


def _merged(data: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge with OmegaConf; texts that it would read as its own syntax are out of its sight meanwhile."""
    import omegaconf  # noqa: PLC0415 - 0.1 s that only overlays pay

    config, veil = omegaconf.OmegaConf, _Veil()
    layers = [veil.over(_making_way(data, over)), veil.over(over)]
    layers = [config.create(one, flags={"allow_objects": False}) for one in layers]
    merged = config.to_container(config.merge(*layers), resolve=False)
    return cast("dict[str, Any]", veil.off(merged))


def _making_way(data: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return `data` without what `over` replaces whole: OmegaConf puts no list in a mapping's place."""
    kept = {}
    for key, value in data.items():
        if key not in over:
            kept[key] = value
        elif isinstance(value, dict) and isinstance(over[key], dict):
            kept[key] = _making_way(value, over[key])
    return kept


@dataclass
class _Veil:
    """Texts with `${…}` and `???`, which mean something to OmegaConf and nothing to the language."""

    kept: list[str] = field(default_factory=list)

    def over(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._text(key): self.over(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.over(item) for item in value]
        return self._text(value) if isinstance(value, str) else value

    def off(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._plain(key): self.off(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.off(item) for item in value]
        return self._plain(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        if "${" not in text and "\0" not in text and text != "???":
            return text
        if text not in self.kept:
            self.kept.append(text)
        return f"\0{self.kept.index(text)}"

    def _plain(self, text: str) -> str:
        return self.kept[int(text[1:])] if text.startswith("\0") else text
