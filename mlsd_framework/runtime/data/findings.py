"""What a source is found to hold, a batch of rows at a time; in the end it is what `check_source` finds in all."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.runtime.data.check import BY_ROW, EXAMPLES, check_source, only, to_drop, type_fault
from mlsd_framework.runtime.data.read import Batch, Unreadable
from mlsd_framework.runtime.data.report import Check, Example, Fault, SourceReport
from mlsd_framework.runtime.data.schema import SourceTable


@dataclass
class Findings:
    """The faults of the rows so far, but repeated keys, and the numbers of those that are to be dropped.

    `in_order` says whether the rows are in order of event time, those without a time last.
    """

    table: SourceTable
    rows: int = 0
    in_order: bool = True
    gone: list[NDArray[np.int64]] = field(default_factory=list)
    _faults: dict[tuple[Check, str], Fault] = field(default_factory=dict)
    _unreadable: dict[tuple[Path, str], Unreadable] = field(default_factory=dict)
    _last: pl.Series | None = None
    _latest: pl.Series | None = None

    def add(self, batch: Batch) -> None:
        """Look at the rows that come next."""
        self._check(batch.frame, only(self.table, *BY_ROW), batch.unreadable, 0)
        for fault in batch.unreadable:
            self._add_unreadable(fault, batch.start)
        if self.table.event_time is not None and batch.frame.height:
            self._add_times(batch.frame.get_column(self.table.event_time))
        self.rows += batch.frame.height

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """Values of wrong types, by file and by column, as `read_leniently` returns them."""
        files = list(dict.fromkeys(file for file, _ in self._unreadable))
        columns = [column.name for column in self.table.columns]
        return tuple(
            sorted(self._unreadable.values(), key=lambda one: (files.index(one.file), columns.index(one.column)))
        )

    def report(self, repeated: Fault | None) -> SourceReport:
        """Return what was found, the keys that are repeated with it."""
        checks, columns = get_args(Check), [column.name for column in self.table.columns]
        known = {**self._faults, **({(repeated.check, repeated.column): repeated} if repeated else {})}
        places = sorted(known, key=lambda at: (checks.index(at[0]), columns.index(at[1]) if at[1] in columns else 0))
        faults = [type_fault(one, self.table) for one in self.unreadable if self.table.checks.types != "ignore"]
        faults += [known[at] for at in places]
        return SourceReport(self.table.name, self.rows, self.table.checks.max_faults, tuple(faults))

    def _check(self, frame: pl.DataFrame, table: SourceTable, unreadable: tuple[Unreadable, ...], before: int) -> None:
        """Check rows, of which the first `before` were seen already."""
        report = check_source(frame, table, unreadable)
        first = self.rows - before
        for one in report.faults:
            if one.check != "types":  # those are reported by file
                examples = tuple(Example(first + shown.row, shown.value) for shown in one.examples)
                known = self._faults.get((one.check, one.column), replace(one, count=0, examples=()))
                together = (*known.examples, *examples)[:EXAMPLES]
                self._faults[one.check, one.column] = replace(known, count=known.count + one.count, examples=together)
        dropped = to_drop(frame, table, report, unreadable)
        if dropped is not None:
            self.gone.append(dropped.arg_true().cast(pl.Int64).to_numpy() + first)

    def _add_unreadable(self, fault: Unreadable, start: int) -> None:
        rows = fault.rows + self.rows
        examples = tuple((start + row, value) for row, value in fault.examples)
        known = self._unreadable.get((fault.file, fault.column))
        if known is not None:
            rows, examples = known.rows.append(rows), (*known.examples, *examples)[:EXAMPLES]
        self._unreadable[fault.file, fault.column] = replace(fault, rows=rows, examples=examples)

    def _add_times(self, times: pl.Series) -> None:
        so_far = times if self._last is None else pl.concat([self._last, times])
        self.in_order &= so_far.is_sorted(nulls_last=True)
        self._last = times.tail(1)
        latest = self._latest if self._latest is not None else times.clear().extend_constant(None, 1)
        if not self.in_order:
            # The latest time before them stands for all rows before these.
            order = replace(only(self.table, "order"), columns=(), key=())
            self._check(pl.concat([latest, times]).to_frame(), order, (), 1)
        self._latest = pl.concat([latest, times]).to_frame().max().to_series()
