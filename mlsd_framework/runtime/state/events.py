"""A key's events and summaries as arrays, out of the blocks of its state: in order, each once; compiled by numba."""

from typing import NamedTuple

import numpy as np

from mlsd_framework.runtime.features.compiled import Array, Integers, compiled
from mlsd_framework.runtime.state.program import INTEGER, TEXT, Program
from mlsd_framework.runtime.state.words import compare, move, order_of

HEADER = 4
"""Words before a block's content: fingerprint, checksum and kind, size in bytes, number of entries."""

_FAR = 1 << 22  # comparisons of new with old records beyond which sorting is cheaper


class Events(NamedTuple):
    """`words[c]` is column c of the records, by time; `summaries` has a row for each summary, by where it begins.

    `content` are the state's words, which lists in summaries are parts of, `data` its bytes, which texts are parts of.
    """

    words: Integers
    summaries: Integers
    content: Integers
    data: Array


@compiled
def gather(content: Integers, data: Array, blocks: Integers, program: Program, known: int) -> Events:
    """Take a state apart; `content` and `data` are its bytes as words and as bytes, `blocks` (offset, kind, number).

    Records that were written after `known` are left out, where the records say so.
    """
    number = cells = keys = 0
    for block in blocks:
        if block[1] == 0:
            number += block[2]
        else:
            cells += block[2]
            keys += content[block[0] + HEADER]
    words = np.empty((program.record, number), np.int64)
    summaries = np.empty((cells, program.cell), np.int64)
    seen = np.empty(keys, np.int64)
    number = cells = keys = sorted_until = 0
    for block in blocks:
        at = block[0] + HEADER
        if block[1] == 0:
            number = _records(content, at, block, program, known, words, number)
            if sorted_until == 0:
                sorted_until = number
            continue
        held = content[at]
        move(content, at + 1, seen, keys, held)
        keys += held
        at += 1 + held
        for _ in range(block[2]):
            move(content, at, summaries[cells], 0, program.cell)
            at += program.cell
            cells += 1
    order = _once(words, number, sorted_until, seen, data, program)
    if len(order) != words.shape[1] or not _increasing(order):
        chosen = np.empty((program.record, len(order)), np.int64)
        for column in range(program.record):
            for position in range(len(order)):
                chosen[column, position] = words[column, order[position]]
        words = chosen
    return Events(words, summaries, content, data)


@compiled
def _records(
    content: Integers, at: int, block: Integers, program: Program, known: int, words: Integers, number: int
) -> int:
    # Copies the records of one block, column by column, and makes the places of texts those in the whole state.
    base = (block[0] * 8) << 32
    for record in range(block[2]):
        row = at + record * program.record
        if program.known and content[row + 2] > known:
            continue
        for column in range(program.record):
            word = content[row + column]
            words[column, number] = word + base if program.kinds[column] == TEXT else word
        number += 1
    return number


@compiled
def _increasing(order: Integers) -> bool:
    falls = 0
    for position in range(1, len(order)):
        falls += order[position] <= order[position - 1]
    return falls == 0


@compiled
def _once(words: Integers, number: int, settled: int, seen: Integers, data: Array, program: Program) -> Integers:
    # The records in order, of those with one source key the first that came; the `settled` first have no duplicates.
    kept = np.ones(number, np.bool_)
    _mark_duplicates(words[1], number, settled, seen, kept, data)
    order = np.empty(number, np.int64)
    found = 0
    for record in range(number):
        if kept[record]:
            order[found] = record
            found += 1
    order = order[:found]
    for position in range(1, found):
        if not before(words, order[position - 1], order[position], data, program):
            return _sorted(words, order, data, program)
    return order


@compiled
def _sorted(words: Integers, order: Integers, data: Array, program: Program) -> Integers:
    times = np.empty(len(order), np.int64)
    for position in range(len(order)):
        times[position] = words[0, order[position]]
    by_time = order_of(times, len(order), INTEGER, data)
    for position in range(len(order)):
        by_time[position] = order[by_time[position]]
    for position in range(1, len(order)):  # runs of one time, by insertion
        record, place = by_time[position], position
        while place > 0 and before(words, record, by_time[place - 1], data, program):
            by_time[place] = by_time[place - 1]
            place -= 1
        by_time[place] = record
    return by_time


@compiled
def _mark_duplicates(keys: Integers, number: int, settled: int, seen: Integers, kept: Array, data: Array) -> None:
    if (number - settled) * (number + len(seen)) > _FAR:
        order = order_of(keys, number, INTEGER, data)
        for position in range(1, number):
            if keys[order[position]] == keys[order[position - 1]]:
                kept[order[position]] = False
    else:
        for late in range(settled, number):
            for early in range(late):
                if keys[early] == keys[late]:
                    kept[late] = False
                    break
    for held in seen:
        for record in range(number):
            if keys[record] == held:
                kept[record] = False


@compiled
def before(words: Integers, a: int, b: int, data: Array, program: Program) -> bool:
    """Say whether record `a` comes before record `b`: by time, then by source key."""
    if words[0, a] != words[0, b]:
        return bool(words[0, a] < words[0, b])
    for column in range(program.ties, program.first):
        compared = compare(words[column, a], words[column, b], program.kinds[column], data)
        if compared:
            return compared < 0
    return bool(words[1, a] < words[1, b])
