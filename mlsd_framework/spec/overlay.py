"""Overlays: an environment's `overrides` and `--set KEY=VALUE`, merged over the file's data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.spec.document import parse_document


@dataclass(frozen=True, slots=True)
class Assignment:
    """One `--set`: its text, the path of the value, the value."""

    text: str
    at: tuple[str, ...]
    value: Any


def parse_assignment(text: str) -> Assignment:
    """Read `models.fraud.iterations=500`; the value is read as YAML, under the same limits as a spec."""
    key, sign, value = text.partition("=")
    parts = tuple(part.strip() for part in key.split("."))
    if not sign or not all(parts):
        raise SpecError(
            Diagnostic(
                code="E1012",
                what=f"`--set {text}` is not an assignment",
                expected="KEY=VALUE, such as models.fraud.iterations=500",
            )
        )
    document = parse_document(f"value: {value}" if "\n" not in value else "value:", f"--set {text}")
    return Assignment(text, parts, cast(dict[str, Any], document.data)["value"])


def merge(data: dict[str, Any], overrides: dict[str, Any], assignments: Sequence[Assignment]) -> dict[str, Any]:
    """Merge overrides, then assignments, over `data`: mappings by key, everything else replaced whole.

    An override of null takes the key away: `split: {by: time, seed: null}` over a split that has a seed. OmegaConf merges; its interpolations stay text, so that no resolver ever runs.
    """
    if not overrides and not assignments:
        return data
    import omegaconf  # noqa: PLC0415 - 0.1 s that only overlays pay

    config = omegaconf.OmegaConf
    layers = [config.create(data, flags={"allow_objects": False}), config.create(overrides)]
    layers += [config.create(_nested(one.at, one.value)) for one in assignments]
    merged = cast(dict[str, Any], config.to_container(config.merge(*layers), resolve=False))
    for layer in (overrides, *(_nested(one.at, one.value) for one in assignments)):
        _take_away(merged, layer)
    return _with_lists(merged, assignments)


def _take_away(merged: Any, layer: dict[str, Any]) -> None:
    """Remove from `merged` the keys that `layer` gives as null, unless a later layer has set them again."""
    for key, value in layer.items():
        if not isinstance(merged, dict) or key not in merged:
            continue
        if value is None and merged[key] is None:
            del merged[key]
        elif isinstance(value, dict):
            _take_away(merged[key], value)


def _nested(at: tuple[str, ...], value: Any) -> dict[str, Any]:
    if any(part.isdigit() for part in at):
        return {}
    for part in reversed(at):
        value = {part: value}
    return cast(dict[str, Any], value)


def _with_lists(data: dict[str, Any], assignments: Sequence[Assignment]) -> dict[str, Any]:
    """Apply the assignments that name an item of a list, such as `serving./decide.pipeline.0.fetch.budget`."""
    for one in assignments:
        if not any(part.isdigit() for part in one.at):
            continue
        holder: Any = data
        for part in one.at[:-1]:
            holder = _item(holder, part, one)
        if isinstance(holder, list):
            _item(holder, one.at[-1], one)
            holder[int(one.at[-1])] = one.value
        else:
            holder[one.at[-1]] = one.value
    return data


def _item(holder: Any, part: str, one: Assignment) -> Any:
    if isinstance(holder, dict):
        return holder.setdefault(part, {})
    if isinstance(holder, list) and part.isdigit() and int(part) < len(holder):
        return holder[int(part)]
    raise SpecError(Diagnostic(code="E1012", what=f"`--set {one.text}` names nothing: there is no `{part}`"))
