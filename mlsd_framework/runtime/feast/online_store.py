"""Feast's online store of packed rows: what materialisation publishes is what Feast reads, and the other way round.

In `feature_store.yaml`:

    online_store:
      type: mlsd_framework.runtime.feast.online_store.PackedOnlineStore
      connection: ${MLSD_STORE_URL}

A feature view is a group, and its rows are those that `features.online.OnlineStore` reads without Feast.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from feast import Entity, FeatureView, RepoConfig
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.infra.online_stores.online_store import OnlineStore as FeastOnlineStore
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.repo_config import FeastConfigBaseModel
from pydantic import SecretStr

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.feast.live import finished, is_live
from mlsd_framework.runtime.feast.rows import Group, Rows
from mlsd_framework.runtime.features.keys import escape
from mlsd_framework.runtime.features.newest import write_newest
from mlsd_framework.runtime.features.packed import moments
from mlsd_framework.runtime.features.publishing import remove
from mlsd_framework.runtime.features.resp import Address, StoreError
from mlsd_framework.runtime.operations.places import socket_path
from mlsd_framework.runtime.workspace import Workspace

Row = tuple[EntityKey, dict[str, ValueProto], datetime, datetime | None]
Found = tuple[datetime | None, dict[str, ValueProto] | None]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PackedOnlineStoreConfig(FeastConfigBaseModel):
    """Where the packed rows are.

    `connection` is a redis://, rediss:// or unix:// URL (`?cluster=true` for a cluster). Where it is a variable of the
    environment that is not set, the rows are in the embedded store of the workspace `workspace`, a folder below the
    repository's. `system` and `features` name the rows (the project and `feast` by default), as in
    `OnlineStore.connect`. A row is gone `key_ttl_seconds` after it was written; with `expire_by_view_ttl` also when its
    view's `ttl` has passed since its event, which Feast itself looks at in historical features only.
    """

    type: Literal["mlsd_framework.runtime.feast.online_store.PackedOnlineStore"] = (
        "mlsd_framework.runtime.feast.online_store.PackedOnlineStore"
    )
    connection: SecretStr | None = SecretStr("${MLSD_STORE_URL}")
    workspace: str | None = None
    system: str | None = None
    features: str = "feast"
    key_ttl_seconds: int | None = None
    expire_by_view_ttl: bool = False
    timeout_seconds: float = 10.0


class PackedOnlineStore(FeastOnlineStore):
    """Packed rows in Valkey or Redis; safe to share between threads."""

    _versioned_read_supported = True

    def __init__(self) -> None:
        self._opened: dict[tuple[str, str, str], Rows] = {}

    @property
    def async_supported(self) -> SupportedAsyncMethods:
        """Reading and writing can be awaited."""
        return SupportedAsyncMethods(read=True, write=True)

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Row],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows where they are newer than what is there; times without a zone are UTC.

        Those of a live view are not kept.
        """
        if is_live(table):
            return
        rows = self._rows(config)
        group = rows.group(table, _name(table, config))
        packed = [
            (key, group.pack(values, event, created))
            for entity, values, event, created in data
            if (key := group.key(entity)) is not None  # nobody can ask for a key with a null
        ]
        self.write_packed(config, table, packed)
        if progress:
            progress(len(data))

    async def online_write_batch_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Row],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows in a thread."""
        await asyncio.to_thread(self.online_write_batch, config, table, data, progress)

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Found]:
        """Return the event time and the values of each key, none for one without a row."""
        rows = self._rows(config)
        group = rows.group(table, _name(table, config))
        encoded = [group.key(entity) for entity in entity_keys]
        wanted = None if requested_features is None else set(requested_features)
        if is_live(table):
            return _finished(table, group, encoded, rows, config.online_store.timeout_seconds, wanted)
        asked = [(group.name, key) for key in encoded if key is not None]
        try:
            found = iter(rows.store.rows(asked) if asked else [])
        except StoreError as error:
            if error.diagnostics[0].code != "E6224":  # nothing was ever written
                raise
            found = iter([None] * len(asked))
        return [_found(group, None if key is None else next(found), wanted) for key in encoded]

    async def online_read_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Found]:
        """Read in a thread."""
        return await asyncio.to_thread(self.online_read, config, table, entity_keys, requested_features)

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,  # noqa: FBT001 - Feast's signature
    ) -> None:
        """Remove the rows of views that are no more; nothing is connected where there are none."""
        del tables_to_keep, entities_to_delete, entities_to_keep, partial  # rows come and go by view
        self._remove(config, tables_to_delete)

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Remove the rows of the views, and the pointer to them where nothing else is left."""
        del entities
        self._remove(config, tables)
        for rows in self._opened.values():
            rows.store.close()
            rows.client.close()
        self._opened.clear()

    async def close(self) -> None:
        """Close the connections."""
        for rows in self._opened.values():
            rows.store.close()
            rows.client.close()

    def write_packed(self, config: RepoConfig, table: FeatureView, rows: Sequence[tuple[bytes, bytes]]) -> int:
        """Write (encoded key, packed row) of a view where they are newer; return how many were."""
        if is_live(table):
            return 0
        settings: PackedOnlineStoreConfig = config.online_store
        opened, name = self._rows(config), _name(table, config)
        opened.group(table, name)
        return write_newest(
            opened.store,
            opened.client,
            [(name, key, row) for key, row in rows],
            age=getattr(table, "ttl", None) if settings.expire_by_view_ttl else None,
            lifetime=timedelta(seconds=settings.key_ttl_seconds) if settings.key_ttl_seconds else None,
            timeout=settings.timeout_seconds,
        )

    def _remove(self, config: RepoConfig, tables: Sequence[FeatureView]) -> None:
        if not tables:
            return
        rows = self._rows(config)
        timeout = config.online_store.timeout_seconds
        gone = {escape(_name(table, config)) for table in tables}
        start = len(rows.store.pointer) + 1
        left = False
        for names in rows.client.scan(rows.store.pointer + b":*", timeout):
            some = [name for name in names if _group(name[start:]) in gone]
            remove(rows.client, some, timeout)
            left = left or len(some) < len(names)
        if not left:
            remove(rows.client, [rows.store.pointer], timeout)

    def _rows(self, config: RepoConfig) -> Rows:
        settings: PackedOnlineStoreConfig = config.online_store
        url = settings.connection.get_secret_value() if settings.connection else ""
        place = (url, settings.system or config.project, settings.features)
        opened = self._opened.get(place)
        if opened is None:
            address = _address(url, settings, config.repo_path)
            opened = self._opened.setdefault(place, Rows.at(address, place[1], place[2], settings.timeout_seconds))
        return opened


def _group(name: bytes) -> bytes:
    # `<generation>:<group>:<key>`; states of live groups begin with another word and are not Feast's.
    generation, _, rest = name.partition(b":")
    return rest.partition(b":")[0] if generation[:1].isdigit() else b""


def _found(group: Group, row: bytes | None, wanted: set[str] | None) -> Found:
    if row is None or not group.layout.fits(row):  # a row of the view as it was: nothing of the view as it is
        return None, None
    event = moments(row)[0]
    return _EPOCH + timedelta(microseconds=event), group.unpack(row, wanted)


def _finished(
    table: FeatureView,
    group: Group,
    keys: Sequence[bytes | None],
    rows: Rows,
    timeout: float,
    wanted: set[str] | None,
) -> list[Found]:
    now, values = finished(table, keys, rows.client, rows.names, timeout)
    moment = _EPOCH + timedelta(microseconds=now)
    return [
        (None, None) if one is None else (moment, group.unpack(group.layout.pack(one, now, now), wanted))
        for one in values
    ]


def _name(table: FeatureView, config: RepoConfig) -> str:
    return str(compute_versioned_name(table, config.registry.enable_online_feature_view_versioning))


def _address(url: str, settings: PackedOnlineStoreConfig, repository: Path | None) -> Address:
    url = os.path.expandvars(url)
    if url and not url.startswith("$"):
        return Address.parse(url)
    if settings.workspace is None:
        raise RunError.of(
            "E6220",
            "the online store of Feast has neither an address nor a workspace",
            expected="`connection: redis://host:6379` below `online_store`, or MLSD_STORE_URL in the environment",
        )
    place = Workspace((repository or Path()) / settings.workspace)
    return Address(path=str(socket_path(place, "store.sock")))
