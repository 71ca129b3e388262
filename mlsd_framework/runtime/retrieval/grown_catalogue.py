"""The items of a version and what came since: new ones stand behind those of the catalogue, in the order of coming."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mlsd_framework.runtime.retrieval.candidates import Codes
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.items import UNKNOWN, Items, Key


@dataclass(frozen=True)
class GrownCatalogue(Items):
    """The items of `base`, then `more`; an item of the base keeps its place for good, and so does one of `more`.

    `renamed` has the words of items of the base that are called otherwise now, and of those of `more`. Neither copies
    what is in the base: a step costs what came since the version was made.
    """

    base: Catalogue
    more: tuple[Key, ...] = ()
    renamed: Mapping[int, str] = field(default_factory=dict)
    _places: dict[Key, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the keys behind the base's."""
        first = len(self.base)
        places = {key: place for place, key in enumerate(self.more, first)}
        if len(places) < len(self.more) or (self.base.codes_of(self.more) >= 0).any():
            raise ValueError("a key that is added is there already")
        object.__setattr__(self, "_places", places)

    def __len__(self) -> int:
        """Return how many places there are."""
        return len(self.base) + len(self.more)

    def grown(self, keys: Sequence[Key], renamed: Mapping[int, str]) -> "GrownCatalogue":
        """Return it with more keys behind its own, and other words of some places."""
        return GrownCatalogue(self.base, (*self.more, *keys), {**self.renamed, **renamed})

    def key(self, code: int) -> Key:
        """Return the key at a place."""
        first = len(self.base)
        return self.base.keys[code] if code < first else self.more[code - first]

    def describe(self, code: int) -> str | None:
        """Return what an item is in words, or none."""
        found = self.renamed.get(code)
        return found if found is not None or code >= len(self.base) else self.base.describe(code)

    def code(self, key: Key | None) -> int:
        """Return the place of one key, -1 for one that is not there."""
        place = self.base.code(key)
        return place if place >= 0 or key is None else self._places.get(key, UNKNOWN)

    def keys_of(self, codes: Codes) -> list[Key]:
        """Return the keys at these places as plain values: [rows]."""
        first = len(self.base)
        if not self.more or not (codes >= first).any():
            return self.base.keys_of(codes)
        return [self.key(code) for code in codes.tolist()]

    def codes_of(self, keys: Sequence[Key]) -> Codes:
        """Return the place of each key as plain values have it, -1 for one that is not there: [rows]."""
        codes = self.base.codes_of(keys)
        if self.more:
            for place in np.flatnonzero(codes < 0).tolist():
                codes[place] = self._places.get(keys[place], UNKNOWN)
        return codes
