"""From an offset in a YAML scalar's value back to the line and column where that character stands in the file."""

from dataclasses import dataclass, replace

from mlsd_framework.diagnostics.span import Span

_ESCAPED_LENGTHS = {"x": 4, "u": 6, "U": 10}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scalar stands: its span, and its text in the file from there on, quotes and all.

    `whole` and `offset` are set where an expression is a stretch of the scalar, as in `sum(amount) where …`.
    `raw` starts at the span's first character; None where the value has no text of its own (a default,
    an override), and then every offset maps to the whole span.
    """

    span: Span | None
    raw: str | None = None
    whole: str | None = None
    offset: int = 0

    def part(self, whole: str, offset: int) -> "Place":
        """Return the place of a stretch of the scalar's value `whole` that begins at `offset`."""
        return replace(self, whole=whole, offset=offset)

    def locate(self, value: str, start: int, end: int) -> Span | None:
        """Return the span of `value[start:end]` (end exclusive), or the whole scalar's where it cannot be told."""
        if self.whole is not None:
            value, start, end = self.whole, start + self.offset, end + self.offset
        if self.span is None or self.raw is None or not 0 <= start < end <= len(value):
            return self.span
        offsets = _offsets(value, self.raw)
        if offsets is None:
            return self.span
        line, column = self._position(offsets[start])
        end_line, end_column = self._position(offsets[end - 1])
        return Span(self.span.path, line, column, end_line, end_column + 1)

    def _position(self, offset: int) -> tuple[int, int]:
        before = (self.raw or "")[:offset]
        newlines = before.count("\n")
        start = self.span
        if start is None:
            return 1, 1
        column = offset - before.rfind("\n") if newlines else start.column + offset
        return start.line + newlines, column


def _offsets(value: str, raw: str) -> list[int] | None:
    """Return for each character of the value its offset in the raw text, None where folding makes it unclear."""
    if raw[:1] in ("|", ">"):
        header = raw.find("\n")
        return None if header < 0 else _align(value, raw, header + 1, "")
    quote = raw[:1] if raw[:1] in ("'", '"') else ""
    return _align(value, raw, len(quote), quote)


def _align(value: str, raw: str, at: int, quote: str) -> list[int] | None:
    found: list[int] = []
    fresh_line = quote == "" and at > 0
    for character in value:
        if fresh_line and character not in " \t":
            while raw[at : at + 1] in (" ", "\t", "\n") and raw[at] != character:
                at += 1
        fresh_line = False
        if quote == '"' and raw[at : at + 2] == "\\\n":
            at = _skip_blank(raw, at + 1)
        length = _length_at(raw, at, character, quote)
        if length is None:
            return None
        found.append(at)
        if raw[at] == "\n" or (character in " \n" and raw[at] in " \t" and _ends_line(raw, at)):
            at = _skip_blank(raw, at) if character == " " or quote else raw.index("\n", at) + 1
            fresh_line = True
        else:
            at += length
    return found


def _length_at(raw: str, at: int, character: str, quote: str) -> int | None:
    """Return how many raw characters write this one, None where they do not."""
    here = raw[at : at + 1]
    if quote == '"' and here == "\\":
        return _ESCAPED_LENGTHS.get(raw[at + 1 : at + 2], 2)
    if quote == "'" and here == "'":
        return 2 if character == "'" and raw[at + 1 : at + 2] == "'" else None
    if here == character:
        return 1
    return 1 if character in " \n" and here in (" ", "\t", "\n") and here else None


def _ends_line(raw: str, at: int) -> bool:
    rest = raw[at:].lstrip(" \t")
    return rest[:1] == "\n"


def _skip_blank(raw: str, at: int) -> int:
    while raw[at : at + 1] in (" ", "\t", "\n") and at < len(raw):
        at += 1
    return at
