"""64-bit hashes of values, and HyperLogLog over them: the same numbers in every home; compiled by numba."""

import math

import numpy as np

from mlsd_framework.runtime.features.compiled import Array, Flags, Integers, Ranges, compiled

_PRECISION = 12
REGISTERS = 1 << _PRECISION
_ALPHA = 0.7213 / (1.0 + 1.079 / REGISTERS)


@compiled
def hash_word(word: int) -> int:
    """Mix the bits of a word (the finaliser of splitmix64); different words have different hashes."""
    x = np.uint64(word) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64(x ^ (x >> np.uint64(31)))  # type: ignore[return-value] # an int once it is compiled


@compiled
def hash_bytes(data: Array, begin: int, stop: int) -> int:
    """Hash a run of bytes (FNV-1a, then mixed)."""
    x = np.uint64(0xCBF29CE484222325)
    for position in range(begin, stop):
        x = (x ^ np.uint64(data[position])) * np.uint64(0x100000001B3)
    return hash_word(np.int64(x))  # type: ignore[arg-type] # as above


@compiled
def hash_texts(data: Array, starts: Integers, stops: Integers) -> Integers:
    """Hash the texts at `starts` up to `stops` in `data`."""
    out = np.empty(len(starts), np.int64)
    for i in range(len(starts)):
        out[i] = hash_bytes(data, starts[i], stops[i])
    return out


@compiled
def hash_words(words: Integers) -> Integers:
    """Hash every word."""
    out = np.empty(len(words), np.int64)
    for i in range(len(words)):
        out[i] = hash_word(words[i])
    return out


@compiled
def combine(hashes: Integers, words: Integers) -> Integers:
    """Hash pairs: what was hashed so far, and a further part of a key."""
    out = np.empty(len(hashes), np.int64)
    for i in range(len(hashes)):
        out[i] = hash_word(hashes[i] ^ hash_word(words[i]))
    return out


@compiled
def register(registers: Array, hashed: int) -> None:
    """Enter one hash into the registers."""
    x = np.uint64(hashed)
    index = np.int64(x >> np.uint64(64 - _PRECISION))
    rest = x << np.uint64(_PRECISION)
    rank = 1
    while rank <= 64 - _PRECISION and not rest >> np.uint64(63):
        rest <<= np.uint64(1)
        rank += 1
    registers[index] = max(registers[index], np.uint8(rank))


@compiled
def estimate(registers: Array) -> int:
    """Return the number of different hashes that were entered, to 1.6 % (one standard error)."""
    total = 0.0
    empty = 0
    for rank in registers:
        total += 2.0 ** -float(rank)
        empty += rank == 0
    raw = _ALPHA * REGISTERS * REGISTERS / total
    if raw <= 2.5 * REGISTERS and empty:
        raw = REGISTERS * math.log(REGISTERS / empty)
    return int(np.floor(raw + 0.5))


@compiled
def estimate_ranges(hashes: Integers, valid: Flags, largest: int, ranges: Ranges, out: Integers) -> None:
    """Replace the numbers of different values above `largest` by estimates."""
    _, asks_at, first, last, lows, highs, rows = ranges
    base = asks_at[first]
    registers = np.zeros(REGISTERS, np.uint8)
    for window in range(lows.shape[0]):
        for ask in range(base, asks_at[last]):
            if out[window, rows[ask]] > largest:
                registers[:] = 0
                for event in range(lows[window, ask - base], highs[ask - base]):
                    if valid[event]:
                        register(registers, hashes[event])
                out[window, rows[ask]] = estimate(registers)
