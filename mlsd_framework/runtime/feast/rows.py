"""A feature view's rows: from Feast's messages to packed rows and back, and the store that holds them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from feast import FeatureView
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value as ValueProto

from mlsd_framework.runtime.feast.values import Form, form_of, layout_of, packed, python_value
from mlsd_framework.runtime.features.client import Client, client_of
from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import EARLIEST, RowLayout
from mlsd_framework.runtime.features.resp import Address

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Group:
    """One feature view: its layout and how each of its features is packed."""

    view: FeatureView
    layout: RowLayout
    forms: tuple[tuple[str, Form], ...]

    @property
    def name(self) -> str:
        """The group's name in the store."""
        return self.layout.group

    def key(self, entity: EntityKey) -> bytes | None:
        """Return a key as the store knows it; none where a part is null."""
        parts = dict(zip(entity.join_keys, entity.entity_values, strict=True))
        return encode_key([python_value(parts[name]) for name in self.layout.entity])  # type: ignore[misc] # refused there

    def pack(self, values: dict[str, ValueProto], event: datetime, created: datetime | None) -> bytes:
        """Pack one row; a feature that is not among the values is null."""
        row = [packed(self.view, name, form, values[name]) if name in values else None for name, form in self.forms]
        return self.layout.pack(row, microseconds(event), microseconds(created))

    def unpack(self, row: bytes, wanted: Collection[str] | None) -> dict[str, ValueProto]:
        """Return a row's values, those that are wanted."""
        values = self.layout.unpack(row)
        return {
            name: form.unpack(value)
            for (name, form), value in zip(self.forms, values, strict=True)
            if wanted is None or name in wanted
        }


@dataclass(slots=True)
class Rows:
    """The packed rows of one system in one store."""

    store: OnlineStore
    client: Client
    names: LiveNames
    groups: dict[str, Group] = field(default_factory=dict)

    @classmethod
    def at(cls, address: Address, system: str, features: str, timeout: float) -> "Rows":
        """Take where the store is; nothing is connected yet."""
        return cls(
            OnlineStore(address, system, features, (), timeout=timeout), client_of(address), LiveNames(system, features)
        )

    def group(self, view: FeatureView, name: str) -> Group:
        """Return the group of a view, which is made anew where the view has changed."""
        known = self.groups.get(name)
        forms = tuple((one.name, form_of(one.dtype)) for one in view.features)
        if known is not None and known.forms == forms:
            return known
        group = self.groups[name] = Group(view, layout_of(view, name), forms)
        self.store.add(group.layout)
        return group


def microseconds(moment: datetime | None) -> int:
    """Return a time in microseconds since 1970, the earliest for none; one without a zone is in UTC."""
    if moment is None or moment != moment:  # noqa: PLR0124 - pandas' time that is none, which Feast passes on
        return EARLIEST
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)
