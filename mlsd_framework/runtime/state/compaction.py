"""Compaction: a state is written anew, its old events summed up; compiled by numba."""

import numpy as np

from mlsd_framework.runtime.features.compiled import Integers, compiled
from mlsd_framework.runtime.state.blocks import SUMMARIES, record_words, seal, write_records
from mlsd_framework.runtime.state.events import HEADER, Events
from mlsd_framework.runtime.state.join import FOLD
from mlsd_framework.runtime.state.program import Program
from mlsd_framework.runtime.state.words import move

KEPT_KEYS = 512
"""Of so many events that went into summaries the source keys are remembered, the newest."""


@compiled
def plan_rows(events: Events, stop: int, oldest: int, program: Program, lifetime: bool) -> Integers:  # noqa: FBT001 - compiled code takes positions
    """Return the new summaries as rows (start, low, high, since, until) over the events before `stop`.

    What is older than `oldest` goes into one summary for a lifetime, and nowhere without one.
    """
    rows = np.empty((stop + len(events.summaries) + 1, 5), np.int64)
    number = event = cell = 0
    while event < stop or cell < len(events.summaries):
        next_event = _start(events.words[0, event], oldest, program) if event < stop else 2**63 - 1
        next_cell = _start_of_cell(events.summaries[cell, 0], oldest) if cell < len(events.summaries) else 2**63 - 1
        start = min(next_event, next_cell)
        low, since = event, cell
        while event < stop and _start(events.words[0, event], oldest, program) == start:
            event += 1
        while cell < len(events.summaries) and _start_of_cell(events.summaries[cell, 0], oldest) == start:
            cell += 1
        if start != FOLD or lifetime:
            rows[number, 0], rows[number, 1], rows[number, 2] = start, low, event
            rows[number, 3], rows[number, 4] = since, cell
            number += 1
    return rows[:number]


@compiled
def _start(time: int, oldest: int, program: Program) -> int:
    if time < oldest or program.resolution == 0:
        return FOLD
    return time - time % program.resolution


@compiled
def _start_of_cell(start: int, oldest: int) -> int:
    return FOLD if start < oldest else start


@compiled
def assemble(
    events: Events,
    cells: Integers,
    items: Integers,
    texts: Integers,
    keys: Integers,
    kept: int,
    program: Program,
    fingerprint: int,
) -> Integers:
    """Write summaries with their items and texts (as words), then the records from `kept` on."""
    number = events.words.shape[1]
    head = head_words(len(keys), len(cells), program)
    stop = head + len(items) + len(texts) if len(cells) else 0
    out = np.empty(stop + (record_words(events.words, kept, number, program) if kept < number else 0), np.int64)
    if stop:
        out[HEADER] = len(keys)
        move(keys, 0, out, HEADER + 1, len(keys))
        move(cells.reshape(-1), 0, out, HEADER + 1 + len(keys), len(cells) * program.cell)
        move(items, 0, out, head, len(items))
        move(texts, 0, out, head + len(items), len(texts))
        seal(out, out.view(np.uint8), 0, stop, fingerprint, SUMMARIES, len(cells))
    if kept < number:
        write_records(events.words, kept, number, events.data, program, fingerprint, out, stop)
    return out


@compiled
def head_words(keys: int, cells: int, program: Program) -> int:
    """Return how many words stand before the items of a block of summaries."""
    return HEADER + 1 + keys + cells * program.cell
