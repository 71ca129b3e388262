"""The blocks that a state is made of, as they are written: records of events, and summaries; compiled by numba.

fingerprint  8 bytes  of the group's declaration and its columns
checksum     4 bytes  CRC-32 of everything after `kind`
kind         4 bytes  0: records, 1: summaries
size         8 bytes  of the whole block, a multiple of 8
number       8 bytes  of records, or of summaries
content               records: their words, then texts. Summaries: hashes of source keys (their number first), then
summaries, then the items of lists and sets, then texts
"""

import numpy as np

from mlsd_framework.runtime.features.compiled import Array, Integers, compiled
from mlsd_framework.runtime.state.events import HEADER
from mlsd_framework.runtime.state.program import TEXT, Program

RECORDS, SUMMARIES = 0, 1
CHECKED_FROM = 16


def _crc_table() -> Array:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, np.uint32(0xEDB88320) ^ (table >> 1), table >> 1).astype(np.uint32)
    return table


_CRC = _crc_table()


@compiled
def crc32(data: Array, begin: int, stop: int) -> int:
    """Return the CRC-32 of a run of bytes, as `zlib.crc32` does."""
    crc = np.uint32(0xFFFFFFFF)
    for position in range(begin, stop):
        crc = _CRC[(crc ^ data[position]) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
    return int(crc ^ np.uint32(0xFFFFFFFF))


@compiled
def seal(words: Integers, data: Array, begin: int, stop: int, fingerprint: int, kind: int, number: int) -> None:
    """Write the header of a block; `begin` and `stop` count words."""
    words[begin] = fingerprint
    words[begin + 2] = (stop - begin) * 8
    words[begin + 3] = number
    words[begin + 1] = crc32(data, begin * 8 + CHECKED_FROM, stop * 8) | (kind << 32)


@compiled
def record_words(words: Integers, low: int, high: int, program: Program) -> int:
    """Return the size, in words, of the block of the records `low` up to `high`."""
    text = 0
    for column in range(program.ties, program.record):
        if program.kinds[column] == TEXT:
            for record in range(low, high):
                text += words[column, record] & 0xFFFFFFFF
    return HEADER + (high - low) * program.record + ((text + 7) >> 3)


@compiled
def write_records(
    words: Integers, low: int, high: int, data: Array, program: Program, fingerprint: int, out: Integers, begin: int
) -> int:
    """Write the block of the records `low` up to `high` at word `begin` of `out`; return where it ends."""
    stop = begin + record_words(words, low, high, program)
    out_data = out.view(np.uint8)
    text = (begin + HEADER + (high - low) * program.record) * 8
    for word in range(begin + HEADER + (high - low) * program.record, stop):
        out[word] = 0
    for record in range(low, high):
        row = begin + HEADER + (record - low) * program.record
        for column in range(program.record):
            word = words[column, record]
            if program.kinds[column] == TEXT:
                size = word & 0xFFFFFFFF
                for byte in range(size):
                    out_data[text + byte] = data[(word >> 32) + byte]
                word = ((text - begin * 8) << 32) | size
                text += size
            out[row + column] = word
    seal(out, out_data, begin, stop, fingerprint, RECORDS, high - low)
    return stop


@compiled
def write_all(
    words: Integers, offsets: Integers, data: Array, program: Program, fingerprint: int
) -> tuple[Integers, Integers]:
    """Write a block for each run of records `offsets[k]:offsets[k + 1]`; return the words and the blocks' ends."""
    total = 0
    for key in range(len(offsets) - 1):
        total += record_words(words, offsets[key], offsets[key + 1], program)
    out = np.empty(total, np.int64)
    ends = np.empty(len(offsets) - 1, np.int64)
    at = 0
    for key in range(len(offsets) - 1):
        at = write_records(words, offsets[key], offsets[key + 1], data, program, fingerprint, out, at)
        ends[key] = at
    return out, ends
