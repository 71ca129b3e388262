"""Frames spilled to disk in numbered parts, a batch at a time, and read back a part at a time; bounded memory."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl
import pyarrow as pa

PART = "__part"
ROW = "__row"
BATCH = 1 << 17  # rows that are held while they are dealt out
MOST_PARTS = 200  # each is an open file while it is written, and a process has about a thousand


class Parts:
    """Numbered parts of one frame as files in `folder`; each keeps the order in which its rows came."""

    def __init__(self, folder: Path, name: str, columns: pl.DataFrame) -> None:
        """Write nothing yet; `columns` is an empty frame of the parts' columns."""
        self._folder, self._name = folder, name
        self._columns = columns
        self._schema = columns.to_arrow().schema
        self._files = ExitStack()
        self._writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}

    def __enter__(self) -> Self:
        """Write until the end of the `with`, read after it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the files."""
        self._files.close()

    def deal(self, frame: pl.DataFrame) -> None:
        """Append each row to the part that its column `__part` names."""
        for (part,), rows in frame.partition_by(PART, as_dict=True, include_key=False, maintain_order=True).items():
            self._writer(int(part)).write_table(rows.select(self._columns.columns).to_arrow().cast(self._schema))

    def read(self, part: int) -> pl.DataFrame:
        """Return a part, and remove its file."""
        path = self._path(part)
        if not path.exists():
            return self._columns
        with path.open("rb") as file, pa.ipc.open_stream(file) as stream:
            frame = pl.from_arrow(stream.read_all())
        path.unlink()
        if not isinstance(frame, pl.DataFrame):
            raise TypeError(type(frame))
        return frame

    def _path(self, part: int) -> Path:
        return self._folder / f"{self._name}-{part}.arrows"

    def _writer(self, part: int) -> pa.ipc.RecordBatchStreamWriter:
        if part not in self._writers:
            file = self._files.enter_context(self._path(part).open("wb"))
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writers[part] = self._files.enter_context(pa.ipc.new_stream(file, self._schema, options=options))
        return self._writers[part]


def hashed(keys: Iterable[str], schema: pl.Schema, parts: int) -> pl.Expr:
    """Return the part of a key: equal keys are in one, an Int32 and an Int64 too; null where all of the key is."""
    hashes = [_hashable(name, schema[name]).hash() for name in keys]
    together = hashes[0] if len(hashes) == 1 else pl.struct(h.alias(str(at)) for at, h in enumerate(hashes)).hash()
    return (together % parts).cast(pl.Int64).alias(PART)


def _hashable(name: str, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_integer():
        return pl.col(name).cast(pl.Int64)
    return pl.col(name) + 0.0 if dtype.is_float() else pl.col(name)  # both zeros are one key


def dealt(frame: pl.LazyFrame, part: pl.Expr, parts: Parts) -> Parts:
    """Deal the rows of a frame out to parts, a batch at a time, in the frame's order; return the parts to read."""
    with parts:
        for batch in frame.with_columns(part).collect_batches(chunk_size=BATCH, maintain_order=True):
            parts.deal(batch)
    return parts
