"""Live groups as Feast sees them: a view whose tags say how its states are finished, at the moment of the read.

What Feast materialises for such a view is not kept: its values come from the states that the stream updater keeps.
"""

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
from feast import FeatureView

from mlsd_framework.runtime.features.client import Client
from mlsd_framework.runtime.features.dtypes import Dtype, Value
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.windows import WindowGroup
from mlsd_framework.runtime.state.layout import StateLayout

_TAG = "mlsd.state"


class _Declared(msgspec.Struct, frozen=True):
    group: WindowGroup
    dtypes: dict[str, Dtype]


def live_tags(group: WindowGroup, dtypes: Mapping[str, Dtype]) -> dict[str, str]:
    """Return the tags of a live group's view; `dtypes` are those of its `StateLayout`."""
    return {_TAG: msgspec.json.encode(_Declared(group, dict(dtypes))).decode()}


def is_live(view: FeatureView) -> bool:
    """Say whether a view is of a live group."""
    return _TAG in view.tags


def finished(
    view: FeatureView, keys: Sequence[bytes | None], client: Client, names: LiveNames, timeout: float
) -> tuple[int, list[tuple[Value, ...] | None]]:
    """Return the present moment in microseconds UTC, and the values of each key then: none for one without a state."""
    layout = _layout(view.tags[_TAG])
    now = time.time_ns() // 1000
    generation = client.get([names.live], timeout)[0]
    if not isinstance(generation, bytes):
        return now, [None] * len(keys)
    prefix = names.states(generation, layout.group.name)
    known = [prefix + key for key in keys if key is not None]
    states = iter(client.get(known, timeout) if known else [])
    found = [None if key is None else next(states) for key in keys]
    return now, [layout.finish(state, now) if isinstance(state, bytes) else None for state in found]


@lru_cache(maxsize=256)
def _layout(tag: str) -> StateLayout:
    declared = msgspec.json.decode(tag, type=_Declared)
    return StateLayout(declared.group, declared.dtypes)
