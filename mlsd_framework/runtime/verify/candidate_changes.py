"""Examples of a ranker before and after a change of what they must not depend on."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from mlsd_framework.runtime.features.dtypes import Value
from mlsd_framework.runtime.training.candidate_examples import AT, PART, REQUEST
from mlsd_framework.runtime.verify.leakage import Leak, Leakage
from mlsd_framework.runtime.verify.subject import Candidates
from mlsd_framework.runtime.verify.values import plain

_SHOWN = 50
_THERE = "__there"


@dataclass(frozen=True, slots=True)
class Change:
    """In words, the part whose rows are compared, and of what the change is; `labels` is whether these have to stay.

    `by` tells rows of one user and item apart.
    """

    moment: str
    of: str
    labels: bool
    by: tuple[str, ...] = ()


def compare(
    rows: pl.DataFrame,
    again: pl.DataFrame,
    candidates: Candidates,
    change: Change,
    late: pl.DataFrame | None,
    result: Leakage,
) -> None:
    """Hold rows against those that are made again after a change; `late` are users and items whose label may differ."""
    key = [candidates.user, candidates.item, *change.by]
    result.rows += rows.height
    gone = ~_among(rows.select(key), again.select(key))
    beside = rows.select(key).join(again, on=key, how="left", maintain_order="left")
    # Users who ask only because of a planted event have candidates of their own.
    known = again.join(rows.select(candidates.user).unique(), on=candidates.user, how="semi")
    fresh = known.join(rows.select(key), on=key, how="anti")
    result.leaking += int(gone.sum()) + fresh.height
    lost = rows.filter(gone)
    _show(lost.select(key), "(candidate)", ["there"] * lost.height, ["gone"] * lost.height, change, result)
    _show(fresh.select(key), "(candidate)", ["not there"] * fresh.height, ["there"] * fresh.height, change, result)
    left, right = rows.filter(~gone), beside.filter(~gone)
    for name in rows.columns:
        if name in (*key, AT, PART, REQUEST) or (name == candidates.label and not change.labels):
            continue
        differs = left.get_column(name).ne_missing(right.get_column(name))
        if name == candidates.label and late is not None:
            differs &= ~_among(left.select(late.columns), late)
        if differs.any():
            result.leaking += int(differs.sum())
            old, new = ([row[0] for row in plain(one.filter(differs).select(name))] for one in (left, right))
            _show(left.filter(differs).select(key), name, old, new, change, result)


def _among(rows: pl.DataFrame, others: pl.DataFrame) -> pl.Series:
    """Return whether each row is one of the others."""
    marked = others.with_columns(pl.lit(value=True).alias(_THERE))
    found = rows.join(marked, on=rows.columns, how="left", maintain_order="left")
    return found.get_column(_THERE).is_not_null()


def _show(
    rows: pl.DataFrame, name: str, before: Sequence[Value], after: Sequence[Value], change: Change, result: Leakage
) -> None:
    """Keep the first findings: a row's key, and what the column held before and after."""
    for row, old, new in list(zip(rows.iter_rows(named=True), before, after, strict=True))[:5]:
        if len(result.leaks) >= _SHOWN:
            return
        shown = {column: str(value) for column, value in row.items()}
        result.leaks.append(Leak(name, shown, change.moment, change.of, old, new))
