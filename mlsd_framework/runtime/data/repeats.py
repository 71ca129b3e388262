"""Repeated keys of a source that is larger than memory: rows of one key meet in one part of all keys."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.runtime.data.check import EXAMPLES, check_source, only, to_drop
from mlsd_framework.runtime.data.report import Example, Fault
from mlsd_framework.runtime.data.schema import SourceTable
from mlsd_framework.runtime.features.spill import ROW, Parts, hashed


class Repeats:
    """The keys of a source as files in `folder`, dealt out to parts by their hash, each with the number of its row."""

    def __init__(self, table: SourceTable, schema: pl.Schema, folder: Path, parts: int) -> None:
        """Write nothing yet."""
        self._table = replace(only(table, "duplicates"), columns=())
        numbered = table.key == (table.row_number,)
        self._key = table.key if table.checks.duplicates != "ignore" and not numbered else ()
        self._bucket = hashed(self._key, schema, parts) if self._key else None
        self._parts = parts
        columns = {name: schema[name] for name in self._key}
        self._keys = Parts(folder, "keys", pl.DataFrame(schema={**columns, ROW: pl.Int64()}))
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Take keys until the end of the `with`, find repeated ones after it."""
        self._open.enter_context(self._keys)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the files."""
        self._open.close()

    def add(self, frame: pl.DataFrame, first: int) -> None:
        """Take the keys of rows, the first of which has this number; keys that are null in part repeat nothing."""
        if self._bucket is not None:
            rows = pl.int_range(first, first + pl.len(), dtype=pl.Int64).alias(ROW)
            self._keys.deal(frame.select(*self._key, rows).drop_nulls(self._key).with_columns(self._bucket))

    def found(self) -> tuple[Fault | None, NDArray[np.int64]]:
        """Return the fault that the source's repeated keys are, and the rows that are to be dropped for it."""
        faults: list[Fault] = []
        gone = [np.empty(0, np.int64)]
        for at in range(self._parts if self._key else 0):
            frame = self._keys.read(at)
            rows, report = frame.get_column(ROW), check_source(frame, self._table)
            faults += [replace(fault, examples=_numbered(fault, rows)) for fault in report.faults]
            dropped = to_drop(frame, self._table, report)
            if dropped is not None:
                gone.append(rows.filter(dropped).to_numpy())
        if not faults:
            return None, gone[0]
        examples = sorted((one for fault in faults for one in fault.examples), key=lambda one: one.row)
        whole = replace(faults[0], count=sum(fault.count for fault in faults), examples=tuple(examples[:EXAMPLES]))
        return whole, np.concatenate(gone)


def _numbered(fault: Fault, rows: pl.Series) -> tuple[Example, ...]:
    return tuple(Example(int(rows[one.row - 1]) + 1, one.value) for one in fault.examples)
