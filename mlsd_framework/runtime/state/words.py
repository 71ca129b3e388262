"""Words: 64 bits that stand for a number, a double, or a text among the state's bytes; compiled by numba.

Loops stand where slices would do: each slice that is assigned to costs seconds of compilation.
"""

import numpy as np

from mlsd_framework.runtime.features.compiled import Array, Integers, compiled
from mlsd_framework.runtime.state.program import FLOAT, TEXT

_LOW = 0xFFFFFFFF


@compiled
def float_word(x: float) -> int:
    """Return the bits of a double."""
    return np.float64(x).view(np.int64)  # type: ignore[return-value] # an int once it is compiled


@compiled
def word_float(word: int) -> float:
    """Return the double whose bits these are."""
    return np.int64(word).view(np.float64)


@compiled
def compare(a: int, b: int, kind: int, data: Array) -> int:
    """Compare two words by what they stand for: -1, 0 or 1; texts by their bytes, which is by code points."""
    if kind == FLOAT:
        u, v = word_float(a), word_float(b)
        return -1 if u < v else (1 if u > v else 0)
    if kind != TEXT:
        return -1 if a < b else (1 if a > b else 0)
    x, y = a >> 32, b >> 32
    length, other = a & _LOW, b & _LOW
    for i in range(min(length, other)):
        if data[x + i] != data[y + i]:
            return -1 if data[x + i] < data[y + i] else 1
    return -1 if length < other else (1 if length > other else 0)


@compiled
def order_of(words: Integers, number: int, kind: int, data: Array) -> Integers:
    """Return the positions of the first `number` words in order of what they stand for; equal ones stay in order."""
    order = np.arange(number)
    spare = np.empty_like(order)
    step = 1
    while step < number:
        for begin in range(0, number, 2 * step):
            middle, stop = min(begin + step, number), min(begin + 2 * step, number)
            left, right = begin, middle
            for position in range(begin, stop):
                if left < middle and (
                    right >= stop or compare(words[order[left]], words[order[right]], kind, data) <= 0
                ):
                    spare[position] = order[left]
                    left += 1
                else:
                    spare[position] = order[right]
                    right += 1
        order, spare = spare, order
        step *= 2
    return order


@compiled
def position_of(sorted_words: Integers, number: int, word: int) -> int:
    """Return the first position among the first `number` sorted words that is not below `word`."""
    low, high = 0, number
    while low < high:
        middle = (low + high) >> 1
        if sorted_words[middle] < word:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def move(source: Integers, begin: int, target: Integers, at: int, number: int) -> None:
    """Copy `number` words."""
    for step in range(number):
        target[at + step] = source[begin + step]
