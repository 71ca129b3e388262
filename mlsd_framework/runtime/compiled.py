"""Compiling kernels with numba so that the next process loads them from a cache instead of compiling them again.

numba keeps its cache in `NUMBA_CACHE_DIR`, else beside the source (`__pycache__`), else in the user's cache folder,
whichever is writable. It holds pickled code, so it is trusted as `.pyc` files are: it belongs in a folder that only
the service's user may write, never in a shared temporary folder. Where none of the three can be written (a read-only
image without a home), kernels are compiled in memory at every start, which costs seconds: set `NUMBA_CACHE_DIR`, or
warm the cache while the image is built by importing the kernels once.

numba imports SciPy before its first kernel only to find a BLAS. That is a third of what loading cached kernels costs,
so it is kept from doing so: kernels of this package use no linear algebra.
"""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import numba

_LOG = logging.getLogger(__name__)
_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


def compiled(signatures: str | Sequence[str]) -> Callable[[_Kernel], _Kernel]:
    """Return a decorator that compiles a kernel for `signatures` at import, or loads it from numba's cache.

    The kernel runs without the GIL. Division follows IEEE 754 and floating-point sums keep their order: results do not
    depend on how a kernel was vectorised.
    """
    listed = [signatures] if isinstance(signatures, str) else list(signatures)

    def decorate(function: _Kernel) -> _Kernel:
        with _without_blas():
            return _cached(function, listed)

    return decorate


def compiled_when_called(function: _Kernel) -> _Kernel:
    """Compile a kernel for the types that it is called with, at the first such call, or load it from numba's cache.

    It runs as one of `compiled` does.
    """
    return _cached(function, None)


def _cached(function: _Kernel, signatures: list[str] | None) -> _Kernel:
    """Return a function compiled with numba's cache, or in memory where that cannot be written."""
    make = partial(numba.njit, signatures, nogil=True, error_model="numpy")
    try:
        kernel = make(cache=True)(function)
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        _LOG.warning(
            "no folder for compiled kernels can be written, `%s` is compiled in memory: set NUMBA_CACHE_DIR",
            function.__qualname__,
        )
        kernel = make()(function)
    return cast("_Kernel", kernel)


def inlined(function: _Kernel) -> _Kernel:
    """Make a function callable from kernels: compiled as part of each, not at all where they come from the cache."""
    return cast("_Kernel", numba.njit(error_model="numpy", nogil=True)(function))


@contextlib.contextmanager
def _without_blas() -> Iterator[None]:
    name = "scipy.linalg.cython_blas"
    if name in sys.modules:
        yield
        return
    # None is how Python is told that an import fails.
    sys.modules[name] = None  # type: ignore[assignment]  # typeshed knows modules alone
    try:
        yield
    finally:
        del sys.modules[name]
