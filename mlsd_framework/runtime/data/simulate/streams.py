"""One random stream for each part of a simulation: a change in one part leaves the draws of the others alone."""

from enum import IntEnum, unique

import numpy as np


@unique
class Stream(IntEnum):
    """The parts that draw; a number, once given, keeps its meaning."""

    CUSTOMERS = 0
    TERMINALS = 1
    COUNTS = 2
    TIMES = 3
    AMOUNTS = 4
    CHOICE_OF_TERMINAL = 5
    COMPROMISED_TERMINALS = 6
    COMPROMISED_CARDS = 7
    DEVICES = 8
    CATEGORIES = 9
    CHANNELS = 10
    RINGS = 11
    LEAKS = 12
    LIVE = 13
    ATTACK = 14


def stream(seed: int, part: Stream, *more: int) -> np.random.Generator:
    """Return the generator of `part` (and of one day or card of it): PCG64, from the seed and these numbers alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(int(part), *more))))
