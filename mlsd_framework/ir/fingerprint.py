"""Fingerprints of what a spec means: places and descriptions do not count, so a comment changes nothing."""

import hashlib
import json
from dataclasses import Field, fields, is_dataclass
from datetime import timedelta
from typing import Any

from mlsd_framework.ir.settings import LATER
from mlsd_framework.ir.system import System

_PLACES = frozenset({"span", "path"})
_WORDS = frozenset({"describe", "licence"})


def fingerprint(*parts: object) -> str:
    """Return `sha256:` and 16 digits over the meaning of `parts`: ir nodes, tuples and plain values."""
    text = json.dumps([_plain(part) for part in parts], sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def system_fingerprint(system: System) -> str:
    """Return the fingerprint of all that a version is made from: everything but the environment and descriptions."""
    return fingerprint(
        system.name,
        system.sources,
        system.entities,
        system.features,
        system.label,
        system.models,
        system.serving,
        system.metrics,
        *([system.retrievers, system.indexes, system.outcome] if system.retrievers else []),
    )


def features_fingerprint(system: System) -> str:
    """Return the fingerprint of what stored features mean: the sources, entities and groups behind the online store."""
    stored = system.stored
    used = {source for group in stored for source in group.sources}
    return fingerprint(
        system.name,
        [source for source in system.sources if source.name in used],
        stored,
        system.label if system.windows else None,
    )


def is_unsaid(one: "Field[Any]", of: object) -> bool:
    """Say whether a field is left out that the language came to have later: specs without it mean what they meant."""
    return bool(one.metadata.get(LATER)) and getattr(of, one.name) == one.default


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    if is_dataclass(value) and not isinstance(value, type):
        kept = {
            one.name: _plain(getattr(value, one.name))
            for one in fields(value)
            if one.name not in _PLACES | _WORDS and not is_unsaid(one, value)
        }
        return {"": type(value).__name__, **kept}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, frozenset | set):
        return sorted(_plain(one) for one in value)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, timedelta):
        return f"{value / timedelta(microseconds=1):.0f}us"
    return value
