"""The feature rows of items whose tables have changed, written to the online store where it has others."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import polars as pl

from mlsd_framework.runtime.features.client import Client, client_of
from mlsd_framework.runtime.features.columns import ColumnGroup
from mlsd_framework.runtime.features.keys import encode_keys
from mlsd_framework.runtime.features.materialisation import Materialised, materialise_all
from mlsd_framework.runtime.features.newest import write_newest
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import TIMES

_AT_ONCE: Final = 4096  # rows
_MOMENTS: Final = slice(8, TIMES + 16)
"""Where a packed row says when it was made, its checksum over that included: rows that differ there alone are one."""

Row = tuple[str, bytes, bytes]


class RowPublisher:
    """Writes rows into the generation that the service reads."""

    def __init__(self, url: str, *, system: str, features: str, timeout: float = 5.0) -> None:
        """Take the address of the store; nothing is connected yet."""
        self._store = OnlineStore.connect(url, system=system, features=features, layouts=(), timeout=timeout)
        self._client: Client = client_of(self._store.address)
        self._timeout = timeout

    def publish(self, groups: Sequence[ColumnGroup], rows: Mapping[str, pl.LazyFrame]) -> dict[str, int]:
        """Write the rows of groups of columns, from the tables by their names; return how many of each were others.

        Raises StoreError as `OnlineStore.read` does.
        """
        now = datetime.now(UTC)
        pairs = [(group, rows[group.source].collect()) for group in groups]
        return {one.group.name: self._write(one) for one in materialise_all(pairs, now)}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._store.close()

    def _write(self, made: Materialised) -> int:
        self._store.add(made.layout)
        written = 0
        for part in made.rows.iter_slices(_AT_ONCE):
            others = list(self._others(made, part))
            if others:
                write_newest(self._store, self._client, others, timeout=self._timeout)
            written += len(others)
        return written

    def _others(self, made: Materialised, part: pl.DataFrame) -> Iterator[Row]:
        """Yield the rows that the store does not have, or has with other values."""
        keys = encode_keys(part.select(made.layout.entity))
        names = [(made.layout.group, key) for key in keys if key is not None]
        if not names:
            return
        held = iter(self._store.rows(names, self._timeout))
        now = time.time_ns() // 1000
        # The rows that are there may be of a later moment, where a log ends ahead of the clock: those of now count.
        event = max(now, self._store.as_of or 0)
        for key, row in zip(keys, made.layout.pack_frame(part, event, now), strict=True):
            if key is not None and _said(next(held)) != _said(row):
                yield made.layout.group, key, row


def _said(row: bytes | None) -> bytes | None:
    return None if row is None else row[: _MOMENTS.start] + row[_MOMENTS.stop :]
