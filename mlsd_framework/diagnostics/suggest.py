"""The nearest word, for "did you mean"."""

from collections.abc import Iterable


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the one of `words` that `word` was probably meant to be, or none."""
    from difflib import get_close_matches  # noqa: PLC0415 - only faults pay for it

    known = list(words)
    folded = {one.casefold(): one for one in known}
    found = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None
