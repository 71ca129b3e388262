"""The nearest known word to a mistyped one, for "did you mean"."""

from collections.abc import Iterable

_SHORTEST = 3  # letters of a word that is completed


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the word that `word` most resembles, None where nothing is near; case does not count."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a faulty spec pays for it

    known = {candidate.lower(): candidate for candidate in sorted(words, reverse=True)}
    found = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    if found:
        return known[found[0]]
    longer = [candidate for candidate in known if candidate.startswith(word.lower())]
    return known[longer[0]] if len(longer) == 1 and len(word) >= _SHORTEST else None
