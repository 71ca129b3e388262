"""The items that enough users have: models of pairs of items or of factors learn about these alone."""

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.candidates import Codes, Offsets, offsets_of
from mlsd_framework.runtime.retrieval.profile import Profiles


def common_items(profiles: Profiles, item_count: int, most: int, least: int = 1) -> Codes:
    """Return the `most` items that most profiles hold, at least `least` of them: codes, rising; ties to lower codes."""
    counts = np.bincount(profiles.items, minlength=item_count)
    ranked = np.argsort(-counts, kind="stable")[:most]
    return np.sort(ranked[counts[ranked] >= max(least, 1)]).astype(np.int32)


def known_rows(
    profiles: Profiles, codes: Codes, item_count: int
) -> tuple[Offsets, NDArray[np.int64], NDArray[np.float64]]:
    """Return the profiles' rows whose items are among `codes`, with places in `codes`: offsets, places, weights."""
    place_of = np.full(item_count, -1, np.int64)
    place_of[codes] = np.arange(len(codes))
    places = place_of[profiles.items]
    kept = places >= 0
    before = np.concatenate([[0], np.cumsum(kept)])
    lengths = np.diff(before[profiles.offsets])
    return offsets_of(lengths), places[kept], profiles.weights[kept]
