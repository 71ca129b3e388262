"""From the parts of an aggregate to its value, for each column of a group."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from mlsd_framework.runtime.features.compiled import Integers
from mlsd_framework.runtime.features.dtypes import Dtype, Scalar, Value, item_of
from mlsd_framework.runtime.features.sketch import estimate
from mlsd_framework.runtime.features.windows import LISTS, Aggregate, WindowGroup, as_microseconds
from mlsd_framework.runtime.state.program import FLOAT, PARTIAL, Program, Words


class Parts(NamedTuple):
    """The parts of one window as whole numbers and as doubles; `end` is the window's end, `as_of` the moment asked for.

    `state` holds the texts, `items` the lists and sets.
    """

    words: list[int]
    reals: list[float]
    as_of: int
    end: int
    state: bytes
    items: Integers


Reader: TypeAlias = Callable[[Parts], Value]


def readers_of(
    group: WindowGroup, words: Words, program: Program, dtypes: Sequence[Dtype]
) -> tuple[tuple[int, Reader], ...]:
    """Return for each column of the group which window it reads, and how."""
    made: list[tuple[int, Reader]] = []
    windows = len(group.windows)
    for place, one in enumerate(group.aggregates):
        at = int(program.table[place, PARTIAL])
        is_float = one.value is not None and words.kinds[len(words.ties) + words.values.index(one.value)] == FLOAT
        for window, width in enumerate(group.windows):
            microseconds = None if width is None else as_microseconds(width)
            dtype = dtypes[place * windows + window]
            made.append((window, _reader(one, at, microseconds, dtype, len(words.ties), is_float=is_float)))
    return tuple(made)


def _reader(  # noqa: PLR0911 - one a family of functions
    one: Aggregate, at: int, width: int | None, dtype: Dtype, ties: int, *, is_float: bool
) -> Reader:
    match one.function:
        case "count":
            return lambda parts: parts.words[at]
        case "sum" | "mean" if is_float:
            return _real_sum(at, mean=one.function == "mean")
        case "sum":
            return lambda parts: parts.words[at + 1] if parts.words[at] else None
        case "mean":
            return lambda parts: parts.words[at + 1] / parts.words[at] if parts.words[at] else None
        case "std":
            return _deviation(at)
        case "time_since_last":
            return lambda parts: (parts.as_of - parts.words[at + 1]) / 1e6 if parts.words[at] else None
        case "rate":
            return _rate(at, width)
        case "ewma" | "decayed_sum":
            return _decayed(one, at)
        case "count_distinct":
            return _distinct(at)
    return _held(one, at, dtype, ties)


def _real_sum(at: int, *, mean: bool) -> Reader:
    def read(parts: Parts) -> Value:
        number = parts.words[at]
        if not number:
            return None
        total = parts.reals[at + 1] + parts.reals[at + 2]
        value = total / number if mean else total
        return None if math.isnan(value) else value

    return read


def _deviation(at: int) -> Reader:
    def read(parts: Parts) -> Value:
        number = parts.words[at]
        return parts.reals[at + 2] / math.sqrt(number - 1) if number > 1 and not parts.words[at + 3] else None

    return read


def _rate(at: int, width: int | None) -> Reader:
    def read(parts: Parts) -> Value:
        number = parts.words[at]
        return number / ((parts.end - parts.words[at + 1] if width is None else width) * 1e-6) if number else 0.0

    return read


def _decayed(one: Aggregate, at: int) -> Reader:
    half_life = as_microseconds(one.half_life) if one.half_life is not None else 1
    average = one.function == "ewma"

    def read(parts: Parts) -> Value:
        if not parts.words[at + 3]:
            return None
        total, weights = parts.reals[at], parts.reals[at + 1]
        value = total / weights if average else total * 2.0 ** (-(parts.end - parts.words[at + 2]) / half_life)
        return None if math.isnan(value) else value

    return read


def _distinct(at: int) -> Reader:
    def read(parts: Parts) -> Value:
        if not parts.words[at]:
            return parts.words[at + 2]
        place = parts.words[at + 1]
        return int(estimate(parts.items[place : place + parts.words[at + 2] // 8].view(np.uint8)))

    return read


def _held(one: Aggregate, at: int, dtype: Dtype, ties: int) -> Reader:
    # Values as they came in: one of them, or a list.
    scalar = _scalar_reader(item_of(dtype) or dtype)
    if one.function not in LISTS:
        place = at + 1 if one.function in ("min", "max") else at + 3 + ties
        if dtype == "float64":
            return lambda parts: parts.reals[place] if parts.words[at] else None
        return lambda parts: scalar(parts.words[place], parts.state) if parts.words[at] else None

    def newest(parts: Parts) -> Value:
        place, number, stride = parts.words[at], parts.words[at + 1], 3 + ties
        held = parts.items[place + stride - 1 : place + stride * number : stride]
        return tuple([scalar(word, parts.state) for word in held.tolist()])

    def frequent(parts: Parts) -> Value:
        place, number = parts.words[at], parts.words[at + 1]
        words, counts = parts.items[place : place + 2 * number].reshape(-1, 2).T.tolist() if number else ((), ())
        best = sorted(range(number), key=lambda item: -counts[item])[: one.n]
        return tuple([scalar(words[item], parts.state) for item in best])

    return newest if one.function == "last_n" else frequent


def _scalar_reader(dtype: Dtype) -> Callable[[int, bytes], Scalar]:
    match dtype:
        case "float64":
            return lambda word, _: float(np.int64(word).view(np.float64))
        case "bool":
            return lambda word, _: bool(word)
        case "string":
            return lambda word, state: state[word >> 32 : (word >> 32) + (word & 0xFFFFFFFF)].decode()
    return lambda word, _: word
