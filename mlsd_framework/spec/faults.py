"""From pydantic's errors to diagnostics: one fault each, with its place and what to write instead."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.secrets import mask
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.spec.document import dotted
from mlsd_framework.spec.keys import Loc, keys_at, without_tags

_CUSTOM: Final = ("quantity", "one-key", "mapping", "secret-in-clear", "one-of")
_LONGEST: Final = 60


class Places(Protocol):
    """Where values stand in the files that wrote them."""

    def place(self, at: Loc, *, key: bool = False) -> Span:
        """Return the span of a value, or of its key."""

    def extent(self, at: Loc) -> Span:
        """Return the span of a whole value, over all its lines."""

    def present(self, at: Loc) -> Loc:
        """Return the parts of `at` that are written."""


@dataclass(frozen=True)
class _Error:
    """One of pydantic's errors: `at` is its path, `tagged` the path with the names of the union's branches in it."""

    at: Loc
    tagged: Loc
    kind: str
    message: str
    context: dict[str, Any]
    value: Any
    of_key: bool

    @property
    def missing(self) -> tuple[Loc, str]:
        return self.at[:-1], str(self.at[-1])


def explain(fault: ValidationError, model: type[BaseModel], places: Places) -> list[Diagnostic]:
    """Return the diagnostics of `fault`, in order of place; a typo in a key is one of them, not two."""
    errors = [_error(one, model) for one in fault.errors(include_url=False)]
    missing = {error.missing for error in errors if error.kind == "missing"}
    found: list[Diagnostic] = []
    replaced: set[tuple[Loc, str]] = set()
    for error in errors:
        if error.kind == "extra_forbidden":
            diagnostic, instead = _unknown_key(error, model, places)
            found.append(diagnostic)
            if instead is not None and (error.at[:-1], instead) in missing:
                replaced.add((error.at[:-1], instead))
    for error in errors:
        if error.kind == "extra_forbidden" or (error.kind == "missing" and error.missing in replaced):
            continue
        found.append(_diagnostic(error, places))
    return sorted(_hidden(_once(found)), key=lambda one: (one.span.line, one.span.column) if one.span else (0, 0))


def _hidden(found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Leave the value of a `--set` out of every place where it is a secret."""
    faults = list(found)
    hidden = {one.span.path for one in faults if one.secret and one.span and one.span.path.startswith("--set ")}
    for one in faults:
        if one.span is not None and one.span.path in hidden:
            yield replace(one, span=replace(one.span, path=f"{one.span.path.partition('=')[0]}=…"))
        else:
            yield one


def _error(error: ErrorDetails, model: type[BaseModel]) -> _Error:
    tagged = error["loc"]
    kept = tagged[:-1] if tagged and tagged[-1] == "[key]" else tagged
    context = error.get("ctx", {})
    of_key = kept is not tagged
    return _Error(without_tags(model, kept), kept, error["type"], error["msg"], context, error.get("input"), of_key)


def _once(found: list[Diagnostic]) -> Iterator[Diagnostic]:
    """Keep the first of several faults of one value: the branches of a union each report their own."""
    seen: set[Span | None] = set()
    for one in found:
        if one.code in ("E1101", "E1102") or one.span not in seen:
            seen.add(one.span)
            yield one


def _unknown_key(error: _Error, model: type[BaseModel], places: Places) -> tuple[Diagnostic, str | None]:
    known = keys_at(model, error.tagged[:-1])
    name = str(error.at[-1])
    near = nearest(name, known)
    parent = dotted(places.present(error.at[:-1]))
    diagnostic = Diagnostic(
        code="E1102",
        what=f"`{parent}` has no key `{name}`" if parent else f"a spec has no section `{name}`",
        span=places.place(error.at, key=True),
        expected=f"one of: {', '.join(known)}" if known else None,
        help=f"did you mean `{near}`?" if near else None,
    )
    return diagnostic, near


def _diagnostic(error: _Error, places: Places) -> Diagnostic:
    shown = dotted(places.present(error.at)) or "the spec"
    base = Diagnostic(code="E1103", what="", span=places.place(error.at, key=error.of_key))
    if error.kind == "missing":
        parent = dotted(places.present(error.at[:-1]))
        what = (
            f"`{parent}` lacks the key `{error.at[-1]}`" if parent else f"the spec lacks the section `{error.at[-1]}`"
        )
        return replace(base, code="E1101", what=what, span=places.place(error.at[:-1], key=True))
    if error.kind in ("union_tag_invalid", "union_tag_not_found"):
        return _unknown_kind(error, base, shown, places)
    if error.kind == "secret-in-clear":
        what = f"`{shown}` {error.message}"
        expected, span = str(error.context["expected"]), places.extent(error.at)
        return replace(base, code="E1105", what=what, expected=expected, span=span, secret=True)
    if error.kind in _PHRASES:
        phrase, wanted = _PHRASES[error.kind](error.context)
        return replace(base, what=f"`{shown}` {phrase}", expected=wanted)
    if error.kind in _CUSTOM and "expected" in error.context:
        return replace(base, what=f"`{shown}` {error.message}{_got(error)}", expected=str(error.context["expected"]))
    return replace(base, what=f"`{shown}`: {error.message[:1].lower()}{error.message[1:]}{_got(error)}")


def _unknown_kind(error: _Error, base: Diagnostic, shown: str, places: Places) -> Diagnostic:
    known = [word.strip().strip("'") for word in str(error.context.get("expected_tags", "")).split(",") if word.strip()]
    tag = error.context.get("tag")
    key = str(error.context.get("discriminator", "kind")).strip("'")
    key = "kind" if "(" in key else key
    if tag is None:
        if not isinstance(error.value, dict):
            return replace(base, what=f"`{shown}` is not a mapping", expected="a mapping, such as `{key: value}`")
        named = error.value.get(key)
        if named is not None:
            return replace(
                base, what=f"`{shown}.{key}` is not text", expected=_one_of(known), span=places.place((*error.at, key))
            )
        what = f"`{shown}` lacks the key `{key}`"
        return replace(base, code="E1101", what=what, expected=_one_of(known), span=places.place(error.at, key=True))
    near = nearest(str(tag), known)
    inside = isinstance(error.value, dict) and key in places.present((*error.at, key))[len(error.at) :]
    return replace(
        base,
        code="E1104",
        what=f"`{shown}` is of an unknown kind, `{tag}`",
        span=places.place((*error.at, key)) if inside else places.place((*error.at, str(tag)), key=True),
        expected=_one_of(known),
        help=f"did you mean `{near}`?" if near else "`mlsd plugins` lists the kinds at hand",
    )


def _one_of(words: list[str]) -> str | None:
    return f"one of: {', '.join(sorted(words))}" if words else None


def _got(error: _Error) -> str:
    value = error.value
    if isinstance(value, str | int | float | bool):
        text = mask(repr(value))
        return f", got {text if len(text) <= _LONGEST else text[: _LONGEST - 3] + '...'}"
    return ""


_PATTERNS: Final = {
    r"^[A-Za-z][A-Za-z0-9_]{0,62}$": "a letter, then letters, digits and `_`, 63 at most",
    r"^[a-z][a-z0-9-]{0,62}$": "a lower-case letter, then lower-case letters, digits and `-`, 63 at most",
    r"^(/[a-z][a-z0-9_-]{0,39}){1,4}$": "a path such as `/v1/decide`: lower-case letters, digits, `_` and `-`",
    r"^[0-9a-f]{64}$": "a SHA-256: 64 digits from 0 to f",
    r"^[0-9A-Za-z.:\[\]-]+$": "a host name or an address, such as `127.0.0.1`",
    r"^[a-z_]{1,40}$": "lower-case letters and `_`",
}


def _pattern(context: dict[str, Any]) -> tuple[str, str]:
    pattern = str(context.get("pattern"))
    return "is not written as it must be", _PATTERNS.get(pattern, f"text that matches `{pattern}`")


def _items(count: object) -> str:
    return "1 item" if count == 1 else f"{count} items"


_WHOLE: Final = ("is not a whole number", "a whole number")
_NUMBER: Final = ("is not a number", "a number")
_BOOL: Final = ("is neither true nor false", "true or false")
_MAPPING: Final = ("is not a mapping", "a mapping, such as `{key: value}`")
_MOMENT: Final = ("is not a moment", "a moment such as `2018-04-01T00:00:00Z`")
_DAY: Final = ("is not a date", "a date such as `2018-04-01`")

_PHRASES: Final[dict[str, Callable[[dict[str, Any]], tuple[str, str | None]]]] = {
    "string_pattern_mismatch": _pattern,
    "literal_error": lambda c: (
        "is not one of the values it can have",
        f"one of: {c.get('expected', '').replace(chr(39), '').replace(' or ', ', ')}",
    ),
    "string_type": lambda _: ("is not text", "text"),
    "string_too_short": lambda c: ("is empty" if c.get("min_length") == 1 else "is too short", "some text"),
    "string_too_long": lambda c: ("is too long", f"at most {c.get('max_length')} characters"),
    "int_type": lambda _: _WHOLE,
    "int_parsing": lambda _: _WHOLE,
    "int_from_float": lambda _: _WHOLE,
    "int_parsing_size": lambda _: ("is too large", "a whole number of 64 bits"),
    "float_type": lambda _: _NUMBER,
    "float_parsing": lambda _: _NUMBER,
    "bool_type": lambda _: _BOOL,
    "bool_parsing": lambda _: _BOOL,
    "list_type": lambda _: ("is not a list", "a list, such as `[a, b]`"),
    "dict_type": lambda _: _MAPPING,
    "model_type": lambda _: _MAPPING,
    "model_attributes_type": lambda _: _MAPPING,
    "too_short": lambda c: (
        "is too short" if c.get("actual_length") else "is empty",
        f"at least {_items(c.get('min_length'))}",
    ),
    "too_long": lambda c: ("is too long", f"at most {_items(c.get('max_length'))}"),
    "greater_than_equal": lambda c: ("is too small", f"at least {c.get('ge')}"),
    "greater_than": lambda c: ("is too small", f"more than {c.get('gt')}"),
    "less_than_equal": lambda c: ("is too large", f"at most {c.get('le')}"),
    "less_than": lambda c: ("is too large", f"less than {c.get('lt')}"),
    "finite_number": lambda _: ("is not a finite number", "a finite number"),
    "timezone_aware": lambda _: ("has no time zone", _MOMENT[1]),
    "datetime_type": lambda _: _MOMENT,
    "datetime_from_date_parsing": lambda _: _MOMENT,
    "datetime_parsing": lambda _: _MOMENT,
    "datetime_object_invalid": lambda _: _MOMENT,
    "date_type": lambda _: _DAY,
    "date_parsing": lambda _: _DAY,
    "date_from_datetime_parsing": lambda _: _DAY,
    "date_from_datetime_inexact": lambda _: _DAY,
}
