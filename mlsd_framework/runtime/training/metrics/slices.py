"""Slices: the same metrics on parts of the rows, to find where a model is weak."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.training.metrics.registry import Value, evaluate
from mlsd_framework.runtime.training.metrics.scored import Scored


@dataclass(frozen=True, slots=True)
class SliceBy:
    """Slice by the values of `column`, or by bins between `edges` (the last one closed), of at least `min_rows`."""

    column: str
    edges: tuple[float, ...] = ()
    min_rows: int = 100
    max_values: int = 20


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: what it holds and its metrics."""

    column: str
    value: str
    rows: int
    positives: int
    values: tuple[Value, ...]


def sliced(
    names: Sequence[str], rows: Scored, columns: Mapping[str, NDArray[np.generic]], by: Iterable[SliceBy]
) -> tuple[Slice, ...]:
    """Return the metrics of each slice, largest slice first within a column; small slices are left out."""
    found: list[Slice] = []
    for rule in by:
        for value, mask in masks(columns[rule.column], rule):
            part = rows.take(mask)
            if len(part) >= rule.min_rows:
                positives = int(np.count_nonzero(part.label))
                found.append(Slice(rule.column, value, len(part), positives, evaluate(names, part)))
    return tuple(found)


def masks(column: NDArray[np.generic], rule: SliceBy) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return the slices of a column, [rows]: the name of each and which rows are in it."""
    return _bins(column, rule) if rule.edges else _values(column, rule)


def _bins(column: NDArray[np.generic], rule: SliceBy) -> list[tuple[str, NDArray[np.bool_]]]:
    numbers = np.asarray(column, np.float64)
    bins: list[tuple[str, NDArray[np.bool_]]] = []
    for index, (low, high) in enumerate(zip(rule.edges[:-1], rule.edges[1:], strict=True)):
        closed = index == len(rule.edges) - 2
        mask = (numbers >= low) & ((numbers <= high) if closed else (numbers < high))
        bins.append((f"{low:g} to {high:g}", mask))
    missing = np.isnan(numbers)
    return [*bins, ("null", missing)] if missing.any() else bins


def _values(column: NDArray[np.generic], rule: SliceBy) -> list[tuple[str, NDArray[np.bool_]]]:
    text = np.array(["null" if value is None else str(value) for value in column.tolist()])
    values, member, counts = np.unique(text, return_inverse=True, return_counts=True)
    largest = np.argsort(-counts, kind="stable")[: rule.max_values]
    return [(str(values[number]), member == number) for number in largest.tolist()]
