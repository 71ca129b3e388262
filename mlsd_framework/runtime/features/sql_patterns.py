"""LIKE patterns as pieces of regular expressions that Python and Rust read alike."""

_SPECIAL = frozenset("\\.+*?()|[]{}^$")


def like_pieces(pattern: str, escape: str | None) -> list[str]:
    """Return the regular expressions of the pieces between the `%`; there is one more than there are `%`.

    `a%b_` → `["a", "b."]`. The character after `escape` stands for itself.
    """
    pieces = [""]
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            pieces[-1] += _quoted(next(characters, character))
        elif character == "%":
            pieces.append("")
        else:
            pieces[-1] += "." if character == "_" else _quoted(character)
    return pieces


def _quoted(character: str) -> str:
    return f"\\{character}" if character in _SPECIAL else character
