"""The loops over many packed rows at once: checksums, the parts of fixed size, and which texts are the same."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import Integers, compiled

Bytes: TypeAlias = NDArray[np.uint8]
Words: TypeAlias = NDArray[np.uint32]

_POLYNOMIAL = 0xEDB88320


def _steps() -> Words:
    """Return what a byte does to CRC-32, eight tables of 256: the byte last read, the one before it, and so on."""
    steps = np.empty((8, 256), np.uint32)
    value = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        value = np.where(value & 1, (value >> 1) ^ np.uint32(_POLYNOMIAL), value >> 1).astype(np.uint32)
    steps[0] = value
    for place in range(1, 8):
        steps[place] = steps[0][steps[place - 1] & 0xFF] ^ (steps[place - 1] >> np.uint32(8))
    return steps


STEPS = _steps()


@compiled
def checked_parts(data: Bytes, starts: Integers, body: int, seed: int, steps: Words, parts: Bytes, sums: Words) -> None:
    """Copy the part of fixed size of each row, [rows, size], and compute the CRC-32 of its bytes from `body` on.

    Row i is `data[starts[i]:starts[i + 1]]`, at least as long as that part.
    """
    size = parts.shape[1]
    for row in range(len(parts)):
        first, last = starts[row], starts[row + 1]
        for place in range(size):
            parts[row, place] = data[first + place]
        crc = np.uint32(seed) ^ np.uint32(0xFFFFFFFF)
        at = first + body
        while at + 8 <= last:
            crc ^= (
                np.uint32(data[at])
                | np.uint32(data[at + 1]) << np.uint32(8)
                | np.uint32(data[at + 2]) << np.uint32(16)
                | np.uint32(data[at + 3]) << np.uint32(24)
            )
            crc = (
                steps[7, crc & np.uint32(0xFF)]
                ^ steps[6, (crc >> np.uint32(8)) & np.uint32(0xFF)]
                ^ steps[5, (crc >> np.uint32(16)) & np.uint32(0xFF)]
                ^ steps[4, crc >> np.uint32(24)]
                ^ steps[3, data[at + 4]]
                ^ steps[2, data[at + 5]]
                ^ steps[1, data[at + 6]]
                ^ steps[0, data[at + 7]]
            )
            at += 8
        while at < last:
            crc = steps[0, (crc ^ np.uint32(data[at])) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
            at += 1
        sums[row] = crc ^ np.uint32(0xFFFFFFFF)


@compiled
def distinct_contents(data: Bytes, begins: Integers, ends: Integers, codes: Integers, firsts: Integers) -> int:
    """Number the different contents `data[begins[i]:ends[i]]` in the order in which they come, and count them.

    `codes` [rows] becomes the number of each row's content, `firsts` [rows] the row that each number was first seen in.
    """
    slots = 2
    while slots < 2 * len(begins):
        slots *= 2
    taken = np.full(slots, -1, np.int64)
    found = 0
    for row in range(len(begins)):
        hashed = np.uint64(1469598103934665603)
        for at in range(begins[row], ends[row]):
            hashed = (hashed ^ np.uint64(data[at])) * np.uint64(1099511628211)
        slot = np.int64((hashed ^ (hashed >> np.uint64(32))) & np.uint64(slots - 1))
        while taken[slot] >= 0 and not _same(data, begins, ends, row, firsts[taken[slot]]):
            slot = (slot + 1) & (slots - 1)
        if taken[slot] < 0:
            taken[slot] = found
            firsts[found] = row
            found += 1
        codes[row] = taken[slot]
    return found


@compiled
def _same(data: Bytes, begins: Integers, ends: Integers, one: int, other: int) -> bool:
    length = ends[one] - begins[one]
    if ends[other] - begins[other] != length:
        return False
    for place in range(length):  # noqa: SIM110 - the compiler knows no generators
        if data[begins[one] + place] != data[begins[other] + place]:
            return False
    return True
