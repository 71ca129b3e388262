"""Parts: what an aggregate keeps of a run of events and summaries, and joins again; compiled by numba.

A span is the events `low` up to `high` and the summaries `since` up to `until`. The part of an aggregate, in words:

    count              number
    sum, mean          number, sum, what its rounding left
    std                number, mean, root of the sum of squares about it, whether a value is infinite
    min, max           whether there is one, value
    first, last        whether there is one, time, hash of the source key, ties, value
    time_since_last    whether there is one, time
    rate               number, time of the first
    ewma, decayed_sum  sum, weights, their time, number
    last_n             place of the records (time, hash, ties, value), their number
    top_k              place of the pairs (value, how often), their number
    count_distinct     0 and a set of hashes, or 1 and registers: which, place, number

What sums, orders or counts is the code that the offline home uses (`features/sums`, `choices`, `decay`, `sketch`).
"""

import math

import numpy as np

from mlsd_framework.runtime.features import decay
from mlsd_framework.runtime.features.compiled import Array, Flags, Integers, compiled
from mlsd_framework.runtime.features.decay import Decayed
from mlsd_framework.runtime.features.doubles import exact_sum
from mlsd_framework.runtime.features.sums import two_pass_deviation
from mlsd_framework.runtime.state import program as p
from mlsd_framework.runtime.state.events import Events, before
from mlsd_framework.runtime.state.program import Program
from mlsd_framework.runtime.state.words import compare, float_word, word_float

NEVER = -(2**63)

Span = tuple[int, int, int, int]


@compiled
def valid_values(events: Events, program: Program) -> Flags:
    """Return for each value column whether it is not null, and a last row that is all true."""
    number = program.record - 1 - program.first if program.record > program.first else 0
    masks = np.ones((number + 1, events.words.shape[1]), np.bool_)
    if number:
        nulls = events.words[program.record - 1]
        for event in range(len(nulls)):
            if nulls[event]:
                for column in range(number):
                    masks[column, event] = not (nulls[event] >> column) & 1
    return masks


@compiled
def number_part(events: Events, valid: Flags, span: Span, at: int, part: Integers) -> None:
    """Count the values that are not null."""
    low, high, since, until = span
    number = 0
    for event in range(low, high):
        number += valid[event]
    for cell in range(since, until):
        number += events.summaries[cell, at]
    part[0] = number


@compiled
def newest_part(events: Events, valid: Flags, span: Span, at: int, part: Integers) -> None:
    """Write whether there is a value that is not null, and the time of the newest."""
    low, high, since, until = span
    newest = NEVER
    for event in range(low, high):
        if valid[event]:
            newest = events.words[0, event]
    for cell in range(since, until):
        if events.summaries[cell, at]:
            newest = max(newest, events.summaries[cell, at + 1])
    part[0], part[1] = np.int64(newest != NEVER), newest


@compiled
def oldest_part(events: Events, valid: Flags, span: Span, at: int, part: Integers) -> None:
    """Write the time of the oldest value that is not null, where there is one."""
    low, high, since, until = span
    oldest = -(NEVER + 1)
    for event in range(low, high):
        if valid[event]:
            oldest = min(oldest, events.words[0, event])
    for cell in range(since, until):
        if events.summaries[cell, at]:
            oldest = min(oldest, events.summaries[cell, at + 1])
    part[1] = oldest


@compiled
def sum_part(events: Events, valid: Flags, span: Span, program: Program, one: int, part: Integers) -> None:
    """Sum whole numbers exactly, doubles with what the rounding left."""
    low, high, since, until = span
    column, at = program.table[one, p.COLUMN], program.table[one, p.PARTIAL]
    if program.kinds[column] != p.FLOAT:
        total = 0
        for event in range(low, high):
            if valid[event]:
                total += events.words[column, event]
        for cell in range(since, until):
            total += events.summaries[cell, at + 1]
        part[1], part[2] = total, 0
        return
    room = high - low + 2 * (until - since) + 1
    terms = np.zeros(room)
    for event in range(low, high):
        if valid[event]:
            terms[event - low] = word_float(events.words[column, event])
    for cell in range(since, until):
        terms[high - low + 2 * (cell - since)] = word_float(events.summaries[cell, at + 1])
        terms[high - low + 2 * (cell - since) + 1] = word_float(events.summaries[cell, at + 2])
    every = np.ones(room, np.bool_)
    whole = exact_sum(terms, every, 0, room)
    rest = 0.0
    if np.isfinite(whole):
        terms[-1] = -whole
        rest = exact_sum(terms, every, 0, room)
    part[1], part[2] = float_word(whole), float_word(rest)


@compiled
def numbers(events: Events, kind: int, column: int, low: int, high: int) -> Array:
    """Return the words `low` up to `high` of a column as doubles."""
    values = np.empty(high - low)
    for event in range(low, high):
        word = events.words[column, event]
        values[event - low] = word_float(word) if kind == p.FLOAT else float(word)
    return values


@compiled
def spread_part(events: Events, valid: Flags, span: Span, program: Program, one: int, part: Integers) -> None:
    """Write the parts of a standard deviation."""
    low, high, since, until = span
    column, at = program.table[one, p.COLUMN], program.table[one, p.PARTIAL]
    values = numbers(events, program.kinds[column], column, low, high)
    held = valid[low:high]
    number, unbounded = 0, False
    for event in range(len(values)):
        if held[event]:
            number += 1
            unbounded = unbounded or math.isinf(values[event])
    mean = exact_sum(values, held, 0, len(values)) / max(number, 1)
    root = 0.0
    if number > 1 and not unbounded:
        root = two_pass_deviation(values, held, 0, len(values), number) * math.sqrt(number - 1)
    for cell in range(since, until):
        more = events.summaries[cell, at]
        unbounded = unbounded or events.summaries[cell, at + 3] != 0
        if more:
            both = number + more
            delta = word_float(events.summaries[cell, at + 1]) - mean
            between = delta * math.sqrt(number / both) * math.sqrt(more)
            root = math.hypot(math.hypot(root, word_float(events.summaries[cell, at + 2])), between)
            mean += delta * (more / both)
            number = both
    part[0], part[1], part[2], part[3] = number, float_word(mean), float_word(root), np.int64(unbounded)


@compiled
def extreme_part(events: Events, valid: Flags, span: Span, program: Program, one: int, part: Integers) -> None:
    """Write the smallest or the largest value."""
    low, high, since, until = span
    column, at = program.table[one, p.COLUMN], program.table[one, p.PARTIAL]
    beyond = 1 if program.table[one, p.FUNCTION] == p.MAX else -1
    found, best = 0, 0
    for event in range(low, high):
        word = events.words[column, event]
        if valid[event] and (not found or compare(word, best, program.kinds[column], events.data) == beyond):
            found, best = 1, word
    for cell in range(since, until):
        word = events.summaries[cell, at + 1]
        if events.summaries[cell, at] and (
            not found or compare(word, best, program.kinds[column], events.data) == beyond
        ):
            found, best = 1, word
    part[0], part[1] = found, best


@compiled
def decayed_part(events: Events, valid: Flags, span: Span, program: Program, one: int, part: Integers) -> None:
    """Write the parts of a decayed sum."""
    low, high, since, until = span
    column, at = program.table[one, p.COLUMN], program.table[one, p.PARTIAL]
    half_life = program.table[one, p.PARAMETER]
    values = numbers(events, program.kinds[column], column, low, high)
    total = decay.decayed(events.words[0, low:high], values, valid[low:high], 0, high - low, half_life)
    for cell in range(since, until):
        row = events.summaries[cell]
        more = Decayed(word_float(row[at]), word_float(row[at + 1]), row[at + 2], row[at + 3])
        total = decay.merged(total, more, half_life)
    part[0], part[1] = float_word(total.total), float_word(total.weights)
    part[2], part[3] = total.newest, total.number


@compiled
def copy_record(events: Events, column: int, event: int, records: Integers, at: int) -> None:
    """Copy an event, as far as its ties, and one of its values into column `at` of `records`."""
    for word in range(len(records) - 1):
        records[word, at] = events.words[word, event]
    records[-1, at] = events.words[column, event]


@compiled
def read_record(source: Integers, place: int, program: Program, records: Integers, at: int) -> None:
    """Read time, hash, ties and value from a summary's words into column `at` of `records`."""
    records[0, at], records[1, at] = source[place], source[place + 1]
    ties = program.first - program.ties
    for tie in range(ties):
        records[program.ties + tie, at] = source[place + 2 + tie]
    records[-1, at] = source[place + 2 + ties]


@compiled
def end_record(events: Events, valid: Flags, span: Span, program: Program, one: int) -> Integers:
    """Return the first or the last record with a value as a column, as far as its ties, then the value; or none."""
    low, high, since, until = span
    newest = program.table[one, p.FUNCTION] == p.LAST
    records = np.zeros((program.first + 1, 1 + until - since), np.int64)
    number = 0
    for step in range(high - low):
        event = high - 1 - step if newest else low + step
        if valid[event]:
            copy_record(events, program.table[one, p.COLUMN], event, records, 0)
            number = 1
            break
    at = program.table[one, p.PARTIAL]
    for cell in range(since, until):
        if events.summaries[cell, at]:
            read_record(events.summaries[cell], at + 1, program, records, number)
            number += 1
    best = 0
    for other in range(1, number):
        if before(records, other, best, events.data, program) != newest:
            best = other
    return records[:, best : best + min(number, 1)]


@compiled
def newest_records(events: Events, valid: Flags, span: Span, program: Program, one: int) -> Integers:
    """Return the newest records (as far as their ties) and their values as columns, newest first."""
    low, high, since, until = span
    n, at = program.table[one, p.PARAMETER], program.table[one, p.PARTIAL]
    room = n
    for cell in range(since, until):
        room += events.summaries[cell, at + 1]
    records = np.zeros((program.first + 1, room), np.int64)
    number = 0
    for step in range(high - low):
        if number < n and valid[high - 1 - step]:
            copy_record(events, program.table[one, p.COLUMN], high - 1 - step, records, number)
            number += 1
    for cell in range(since, until):
        place = events.summaries[cell, at]
        for _ in range(events.summaries[cell, at + 1]):
            read_record(events.content, place, program, records, number)
            place += 3 + program.first - program.ties
            number += 1
    if until > since:
        for position in range(1, number):  # by insertion: the parts are in order themselves
            place = position
            while place > 0 and before(records, place - 1, place, events.data, program):
                for word in range(len(records)):
                    records[word, place - 1], records[word, place] = records[word, place], records[word, place - 1]
                place -= 1
    return records[:, : min(number, n)]
