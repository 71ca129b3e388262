"""How the window kernel's functions are compiled, and the types they share."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.compiled import compiled_when_called

Array: TypeAlias = NDArray[Any]
Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
Pair: TypeAlias = tuple[float, float]
Function = TypeVar("Function", bound=Callable[..., object])


class Ranges(NamedTuple):
    """The questions of keys `first` up to `last` as ranges of events; see `kernel` for the offsets.

    Question `asks_at[first] + i` asks in window w about events `lows[w, i]:highs[i]`;
    its results go to column `rows[asks_at[first] + i]`.
    """

    events_at: Integers
    asks_at: Integers
    first: int
    last: int
    lows: Integers
    highs: Integers
    rows: Integers


def compiled(function: Function) -> Function:
    """Compile a function over arrays, once a machine (the cache is beside the file), to run without the GIL."""
    return compiled_when_called(function)
