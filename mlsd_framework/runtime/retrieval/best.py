"""The best of many scores: the largest first, of equal ones the item with the lower code."""

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.retrieval.candidates import Codes


@compiled
def best(scores: NDArray[np.floating], codes: Codes, number: int, floor: float) -> tuple[Codes, NDArray[np.float64]]:
    """Return the items of the largest scores above `floor`, at most so many, with their scores; NaN is none.

    `scores` and `codes` [scored]: the codes rise. A heap of the best so far, the worst of them on top: most scores
    need one comparison.
    """
    size = min(number, len(scores))
    heap = np.empty(size, np.float64)
    places = np.empty(size, np.int64)
    held = 0
    if size == 0:
        return np.empty(0, np.int32), heap
    for place in range(len(scores)):
        score = float(scores[place])
        if not score > floor:
            continue
        if held < size:
            child = held
            held += 1
            while child > 0:
                parent = (child - 1) >> 1
                # The one put in has a higher place than all held: of equal scores it is the worse.
                if heap[parent] < score:
                    break
                heap[child], places[child] = heap[parent], places[parent]
                child = parent
            heap[child], places[child] = score, place
        elif score > heap[0]:
            _sink(heap, places, held, score, place)
    items = np.empty(held, np.int32)
    found = np.empty(held, np.float64)
    while held > 0:
        held -= 1
        items[held], found[held] = codes[places[0]], heap[0]
        _sink(heap, places, held, heap[held], places[held])
    return items, found


@compiled
def _sink(heap: NDArray[np.float64], places: NDArray[np.int64], held: int, score: float, place: int) -> None:
    """Put a score in the place of the worst, and restore the heap of the first `held`."""
    hole = 0
    while True:
        child = 2 * hole + 1
        if child >= held:
            break
        other = child + 1
        if other < held and (
            heap[other] < heap[child] or (heap[other] == heap[child] and places[other] > places[child])
        ):
            child = other
        if heap[child] > score or (heap[child] == score and places[child] < place):
            break
        heap[hole], places[hole] = heap[child], places[child]
        hole = child
    heap[hole], places[hole] = score, place
