"""Joins spans of a state: a span's part for every aggregate, and the items of those that keep several; by numba.

One function serves both ends: a window of the moment that asks, and a summary of what has become old.
"""

import numpy as np

from mlsd_framework.runtime.features.compiled import Array, Flags, Integers, compiled
from mlsd_framework.runtime.features.sketch import REGISTERS, hash_bytes, hash_word, register
from mlsd_framework.runtime.state import parts
from mlsd_framework.runtime.state import program as p
from mlsd_framework.runtime.state.events import Events, gather
from mlsd_framework.runtime.state.parts import Span, valid_values
from mlsd_framework.runtime.state.program import Program
from mlsd_framework.runtime.state.words import compare, float_word, move, order_of, position_of, word_float

FOLD = -(2**63)
"""Where the summary of all that is older than the windows begins."""

IN_PLACE = -1
"""Instead of a place for texts: they stay where they are in the state."""


@compiled
def at_moment(
    content: Integers, data: Array, blocks: Integers, program: Program, at: int, known: int
) -> tuple[Integers, Integers]:
    """Return for each window, ending at `at` less the delay, the parts of every aggregate, and the items of parts."""
    events = gather(content, data, blocks, program, known)
    end = at - program.delay
    times, starts = events.words[0], events.summaries[:, 0].copy()
    high, until = position_of(times, len(times), end), position_of(starts, len(starts), end)
    rows = np.zeros((len(program.widths), 5), np.int64)
    for window in range(len(program.widths)):
        rows[window, 2], rows[window, 4] = high, until
        if program.widths[window] >= 0:
            start = end - program.widths[window]
            if program.resolution:
                start -= start % program.resolution
            rows[window, 1] = position_of(times, high, start)
            rows[window, 3] = position_of(starts, until, start)
    return joined(events, rows, program, 0, np.zeros(0, np.uint8), IN_PLACE)[:2]


@compiled
def joined(
    events: Events, rows: Integers, program: Program, head: int, texts: Array, base: int
) -> tuple[Integers, Integers, int]:
    """Return a summary for each row (start, low, high, since, until), the items, and how many bytes of text were used.

    Items will stand at word `head` of a state, texts, which go to `texts`, at its byte `base`.
    """
    cells = np.zeros((len(rows), program.cell), np.int64)
    items = np.empty(64, np.int64)
    masks = valid_values(events, program)
    used = text = 0
    for row in range(len(rows)):
        span = (rows[row, 1], rows[row, 2], rows[row, 3], rows[row, 4])
        cells[row, 0] = rows[row, 0]
        cells[row, 1], cells[row, 2] = _times(events, span)
        for one in range(len(program.table)):
            function, column = program.table[one, p.FUNCTION], program.table[one, p.COLUMN]
            valid = masks[column - program.first] if column >= 0 else masks[-1]
            part = cells[row, program.table[one, p.PARTIAL] :]
            if function in (p.MIN, p.MAX):
                parts.extreme_part(events, valid, span, program, one, part)
                part[1], text = _stored(part[1], program.kinds[column], events, texts, text, base)
            elif (function >= p.FIRST and function <= p.DISTINCT) or function == p.TOP_K:
                more, text = _several(events, valid, span, program, one, part, texts, text, base)
                if function in (p.FIRST, p.LAST):
                    move(more, 0, part, 1, len(more))
                    continue
                part[1 if function == p.DISTINCT else 0] = head + used
                while used + len(more) > len(items):
                    larger = np.empty(2 * len(items), np.int64)
                    move(items, 0, larger, 0, used)
                    items = larger
                move(more, 0, items, used, len(more))
                used += len(more)
            else:
                _numbers(events, valid, span, program, one, part)
    return cells, items[:used], text


@compiled
def _times(events: Events, span: Span) -> tuple[int, int]:
    low, high, since, until = span
    newest, oldest = parts.NEVER, -(parts.NEVER + 1)
    if high > low:
        newest, oldest = events.words[0, high - 1], events.words[0, low]
    for cell in range(since, until):
        newest, oldest = max(newest, events.summaries[cell, 1]), min(oldest, events.summaries[cell, 2])
    return newest, oldest


@compiled
def _numbers(events: Events, valid: Flags, span: Span, program: Program, one: int, part: Integers) -> None:
    function, at = program.table[one, p.FUNCTION], program.table[one, p.PARTIAL]
    if function == p.STD:
        parts.spread_part(events, valid, span, program, one, part)
    elif function in (p.EWMA, p.DECAYED_SUM):
        parts.decayed_part(events, valid, span, program, one, part)
    elif function == p.SINCE:
        parts.newest_part(events, valid, span, at, part)
    else:
        parts.number_part(events, valid, span, at, part)
        if function == p.RATE:
            parts.oldest_part(events, valid, span, at, part)
        elif function != p.COUNT:
            parts.sum_part(events, valid, span, program, one, part)


@compiled
def _stored(word: int, kind: int, events: Events, texts: Array, text: int, base: int) -> tuple[int, int]:
    # A word as it is stored: a text is copied, unless texts stay where they are.
    if kind != p.TEXT or base == IN_PLACE:
        return word, text
    size = word & 0xFFFFFFFF
    for byte in range(size):
        texts[text + byte] = events.data[(word >> 32) + byte]
    return ((base + text) << 32) | size, text + size


@compiled
def _several(  # noqa: PLR0913, PLR0917 - compiled code takes positions
    events: Events,
    valid: Flags,
    span: Span,
    program: Program,
    one: int,
    part: Integers,
    texts: Array,
    text: int,
    base: int,
) -> tuple[Integers, int]:
    # Records, pairs or hashes; their number goes to the part.
    function, kind = program.table[one, p.FUNCTION], program.kinds[program.table[one, p.COLUMN]]
    if function == p.DISTINCT:
        return _set(events, valid, span, program, one, part), text
    if function == p.TOP_K:
        pairs = tallied(events, valid, span, program, one)
        for pair in range(0, len(pairs), 2):
            pairs[pair], text = _stored(pairs[pair], kind, events, texts, text, base)
        part[1] = len(pairs) // 2
        return pairs, text
    if function == p.LAST_N:
        records = parts.newest_records(events, valid, span, program, one)
        part[1] = records.shape[1]
    else:
        records = parts.end_record(events, valid, span, program, one)
        part[0] = records.shape[1]
    more = np.empty(records.shape[1] * (3 + program.first - program.ties), np.int64)
    at = 0
    for record in range(records.shape[1]):
        more[at], more[at + 1] = records[0, record], records[1, record]
        at += 2
        for tie in range(program.ties, program.first):
            more[at], text = _stored(records[tie, record], program.kinds[tie], events, texts, text, base)
            at += 1
        more[at], text = _stored(records[-1, record], kind, events, texts, text, base)
        at += 1
    return more, text


@compiled
def tallied(events: Events, valid: Flags, span: Span, program: Program, one: int) -> Integers:
    """Return pairs of a value and how often it comes, smallest value first."""
    low, high, since, until = span
    at, column = program.table[one, p.PARTIAL], program.table[one, p.COLUMN]
    room = high - low
    for cell in range(since, until):
        room += events.summaries[cell, at + 1]
    words, counts = np.empty(room, np.int64), np.empty(room, np.int64)
    number = 0
    for event in range(low, high):
        if valid[event]:
            words[number], counts[number] = events.words[column, event], 1
            number += 1
    for cell in range(since, until):
        place = events.summaries[cell, at]
        for item in range(events.summaries[cell, at + 1]):
            words[number] = events.content[place + 2 * item]
            counts[number] = events.content[place + 2 * item + 1]
            number += 1
    order = order_of(words, number, program.kinds[column], events.data)
    pairs = np.empty(2 * number, np.int64)
    end = 0
    for position in range(number):
        word, count = words[order[position]], counts[order[position]]
        if end and compare(word, pairs[end - 2], program.kinds[column], events.data) == 0:
            pairs[end - 1] += count
        else:
            pairs[end], pairs[end + 1] = word, count
            end += 2
    return pairs[:end]


@compiled
def _hash_of(events: Events, program: Program, column: int, event: int) -> int:
    word, kind = events.words[column, event], program.kinds[column]
    if kind == p.HASH:
        return int(word)
    if kind == p.TEXT:
        return hash_bytes(events.data, word >> 32, (word >> 32) + (word & 0xFFFFFFFF))
    if kind == p.FLOAT:
        return hash_word(float_word(word_float(word) + 0.0))  # -0.0 is 0.0
    return hash_word(word)


@compiled
def _set(  # noqa: C901 - one function compiles faster than two
    events: Events, valid: Flags, span: Span, program: Program, one: int, part: Integers
) -> Integers:
    # The different hashes, or where they are more than is kept exactly, registers.
    low, high, since, until = span
    at, column = program.table[one, p.PARTIAL], program.table[one, p.COLUMN]
    room, estimated = high - low, False
    for cell in range(since, until):
        estimated = estimated or events.summaries[cell, at] != 0
        room += 0 if events.summaries[cell, at] else events.summaries[cell, at + 2]
    hashes = np.empty(room, np.int64)
    number = 0
    for event in range(low, high):
        if valid[event]:
            hashes[number] = _hash_of(events, program, column, event)
            number += 1
    for cell in range(since, until):
        if not events.summaries[cell, at]:
            move(events.content, events.summaries[cell, at + 1], hashes, number, events.summaries[cell, at + 2])
            number += events.summaries[cell, at + 2]
    different = _different(hashes, number, events.data)
    part[0], part[2] = 0, len(different)
    if not estimated and (program.table[one, p.PARAMETER] == 0 or len(different) <= program.table[one, p.PARAMETER]):
        return different
    registers = np.zeros(REGISTERS, np.uint8)
    for cell in range(since, until):
        if events.summaries[cell, at]:
            place = events.summaries[cell, at + 1] * 8
            for index in range(REGISTERS):
                registers[index] = max(registers[index], events.data[place + index])
    for hashed in different:
        register(registers, hashed)
    part[0], part[2] = 1, REGISTERS
    return registers.view(np.int64)


@compiled
def _different(hashes: Integers, number: int, data: Array) -> Integers:
    order = order_of(hashes, number, p.INTEGER, data)
    different = np.empty(number, np.int64)
    found = 0
    for position in range(number):
        if not found or hashes[order[position]] != different[found - 1]:
            different[found] = hashes[order[position]]
            found += 1
    return different[:found]
