"""What may enter an index: finite vectors of its dimension, ids of a catalogue, filters that name them."""

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.index.door import Allowed, Distance, Ids, Vectors

LARGEST_ID = 2**28 - 1
"""Tables by id have an entry for each id up to the largest: codes are dense, hashes of names are not."""

LARGEST_VALUE = 1e15
"""Sums of products of larger values would leave float32."""


def checked_vectors(vectors: object, dim: int | None, distance: Distance) -> Vectors:
    """Return vectors as float32 [rows, dim], of length 1 for cosine (zero stays zero); E6801 where they are unfit."""
    return _checked(vectors, dim, distance, "E6801", "vectors")


def checked_queries(queries: object, dim: int, distance: Distance) -> Vectors:
    """Return queries as float32 [q, dim], of length 1 for cosine (zero stays zero); E6802 where they are unfit."""
    return _checked(queries, dim, distance, "E6802", "queries")


def checked_ids(ids: object, rows: int | None = None, *, once: bool = False) -> Ids:
    """Return ids as int64 [rows]; E6803 where one is no place of a catalogue, or their number is another."""
    found = np.asarray(ids)
    if found.ndim != 1 or (found.dtype.kind not in "iu" and found.size):
        raise RunError.of("E6803", f"ids are {found.dtype} {list(found.shape)}", expected="integers, [rows]")
    if rows is not None and len(found) != rows:
        raise RunError.of("E6803", f"there are {len(found)} ids for {rows} vectors", expected="one id a vector")
    if found.size and (found.min() < 0 or found.max() > LARGEST_ID):
        worst = int(found.min() if found.min() < 0 else found.max())
        raise RunError.of(
            "E6803", f"id {worst} is no place in a catalogue", expected=f"0 to {LARGEST_ID}", help="number the items"
        )
    found = found.astype(np.int64, copy=False)
    if once and len(np.unique(found)) != len(found):
        raise RunError.of("E6803", "an id stands several times among the ids of a new index", expected="each id once")
    return found


def allowed_mask(allowed: Allowed | None) -> NDArray[np.bool_] | None:
    """Return which ids an answer may hold, [largest id + 1]; E6803 where the filter is neither a mask nor ids."""
    if allowed is None:
        return None
    given = np.asarray(allowed)
    if given.dtype == np.bool_ and given.ndim == 1:
        return given.astype(np.bool_, copy=False)
    codes = checked_ids(given)
    mask = np.zeros(int(codes.max(initial=-1)) + 1, np.bool_)
    mask[codes] = True
    return mask


def checked_k(k: int) -> int:
    """Return the number of neighbours asked for; E6802 where it is none."""
    if k < 1:
        raise RunError.of("E6802", f"{k} neighbours are asked for", expected="at least 1")
    return k


def _checked(given: object, dim: int | None, distance: Distance, code: str, what: str) -> Vectors:
    try:
        found = np.ascontiguousarray(given, np.float32)
    except (TypeError, ValueError) as fault:
        raise RunError.of(code, f"{what} are no numbers: {fault}", expected="float32, [rows, dim]") from fault
    if found.ndim != 2 or found.shape[1] == 0 or (dim is not None and found.shape[1] != dim):  # noqa: PLR2004 - a matrix
        raise RunError.of(
            code, f"{what} have the shape {list(found.shape)}", expected=f"[rows, {'dim' if dim is None else dim}]"
        )
    if found.size and not (found.max() <= LARGEST_VALUE and found.min() >= -LARGEST_VALUE):  # NaN is neither
        row = int(np.flatnonzero(~(np.abs(found) <= LARGEST_VALUE).all(axis=1))[0])
        raise RunError.of(code, f"row {row} of the {what} holds NaN or a value beyond {LARGEST_VALUE:g}")
    if distance == "cosine":
        lengths = np.sqrt(np.einsum("ij,ij->i", found, found, dtype=np.float64))
        return np.asarray(found / np.where(lengths > 0, lengths, 1)[:, None], np.float32)
    return found
