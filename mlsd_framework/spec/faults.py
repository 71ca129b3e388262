"""From pydantic's errors to diagnostics: one fault each, with its place and what to write instead."""

import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.diagnostics.suggest import nearest

Loc = tuple[str | int, ...]


class Places(Protocol):
    """Where values stand in the files that wrote them."""

    def place(self, at: Loc, *, key: bool = False) -> Span:
        """Return the span of a value, or of its key."""

    def present(self, at: Loc) -> Loc:
        """Return the parts of `at` that are written: pydantic's union tags are not among them."""


def explain(fault: ValidationError, model: type[BaseModel], places: Places) -> list[Diagnostic]:
    """Return the diagnostics of `fault`, in order of place; a typo in a key is one of them, not two."""
    errors = fault.errors(include_url=False)
    missing = {(error["loc"][:-1], str(error["loc"][-1])) for error in errors if error["type"] == "missing"}
    found: list[Diagnostic] = []
    replaced: set[tuple[Loc, str]] = set()
    for error in errors:
        if error["type"] == "extra_forbidden":
            diagnostic, instead = _unknown_key(error, model, places)
            found.append(diagnostic)
            if instead is not None and (error["loc"][:-1], instead) in missing:
                replaced.add((error["loc"][:-1], instead))
    for error in errors:
        at = error["loc"]
        if error["type"] == "extra_forbidden" or (error["type"] == "missing" and (at[:-1], str(at[-1])) in replaced):
            continue
        found.append(_diagnostic(error, places))
    return sorted(_once(found), key=lambda one: (one.span.line, one.span.column) if one.span else (0, 0))


def _once(found: list[Diagnostic]) -> Iterator[Diagnostic]:
    """Keep the first of several faults of one value: the branches of a union each report their own."""
    seen: dict[Span | None, Diagnostic] = {}
    for one in found:
        if one.code == "E1101" or one.span not in seen:
            seen.setdefault(one.span, one)
            yield one


def dotted(at: Loc) -> str:
    """Write a path as a person does: `models.rank.features[1]`."""
    text = ""
    for part in at:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _unknown_key(error: ErrorDetails, model: type[BaseModel], places: Places) -> tuple[Diagnostic, str | None]:
    at = error["loc"]
    known = keys_at(model, at[:-1])
    near = nearest(str(at[-1]), known)
    parent = dotted(places.present(at[:-1]))
    diagnostic = Diagnostic(
        code="E1102",
        what=f"`{parent}` has no key `{at[-1]}`" if parent else f"a spec has no section `{at[-1]}`",
        span=places.place(at, key=True),
        expected=f"one of: {', '.join(known)}" if known else None,
        help=f"did you mean `{near}`?" if near else None,
    )
    return diagnostic, near


def _diagnostic(error: ErrorDetails, places: Places) -> Diagnostic:
    at, kind, context = error["loc"], error["type"], error.get("ctx", {})
    shown = dotted(places.present(at))
    base = Diagnostic(code="E1103", what="", span=places.place(at))
    if kind == "missing":
        parent = dotted(places.present(at[:-1]))
        what = f"`{parent}` lacks the key `{at[-1]}`" if parent else f"the spec lacks the section `{at[-1]}`"
        return replace(base, code="E1101", what=what, span=places.place(at, key=True))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _unknown_kind(error, base, shown)
    if kind in _PHRASES:
        what, expected = _PHRASES[kind](context)
        return replace(base, what=f"`{shown}` {what}", expected=expected)
    if "expected" in context and kind in ("quantity", "one-key", "mapping", "secret-in-clear", "one-of"):
        code = "E1105" if kind == "secret-in-clear" else "E1103"
        got = "" if kind == "secret-in-clear" else _got(error)
        return replace(base, code=code, what=f"`{shown}` {error['msg']}{got}", expected=str(context["expected"]))
    return replace(base, what=f"`{shown}`: {error['msg'][:1].lower()}{error['msg'][1:]}{_got(error)}")


def _unknown_kind(error: ErrorDetails, base: Diagnostic, shown: str) -> Diagnostic:
    context = error.get("ctx", {})
    value = error.get("input")
    known = [word.strip().strip("'") for word in str(context.get("expected_tags", "")).split(",") if word.strip()]
    tag = context.get("tag")
    if tag is None:
        key = "kind" if isinstance(value, dict) else "a kind"
        return replace(base, code="E1101", what=f"`{shown}` lacks the key `{key}`", expected=_one_of(known))
    near = nearest(str(tag), known)
    return replace(
        base,
        code="E1104",
        what=f"`{shown}` is of an unknown kind, `{tag}`",
        expected=_one_of(known),
        help=f"did you mean `{near}`?" if near else "`mlsd plugins` lists the kinds at hand",
    )


def _one_of(words: list[str]) -> str | None:
    return f"one of: {', '.join(sorted(words))}" if words else None


def _got(error: ErrorDetails) -> str:
    value = error.get("input")
    if isinstance(value, str | int | float | bool):
        text = repr(value)
        return f", got {text if len(text) <= 60 else text[:57] + '...'}"
    return ""


def _pattern(context: dict[str, Any]) -> tuple[str, str]:
    names = {
        r"^[A-Za-z][A-Za-z0-9_]{0,62}$": "a letter, then letters, digits and `_`, 63 at most",
        r"^[a-z][a-z0-9-]{0,62}$": "a lower-case letter, then lower-case letters, digits and `-`, 63 at most",
        r"^/[a-z0-9_/-]{1,80}$": "`/` and lower-case letters, digits, `_`, `-` and `/`",
    }
    pattern = str(context.get("pattern"))
    return "does not look as it must", names.get(pattern, f"text that matches `{pattern}`")


_PHRASES: dict[str, Callable[[dict[str, Any]], tuple[str, str | None]]] = {
    "string_pattern_mismatch": _pattern,
    "literal_error": lambda c: (
        "is not one of the values it can have",
        f"one of: {c.get('expected', '').replace(chr(39), '').replace(' or ', ', ')}",
    ),
    "string_type": lambda _: ("is not text", "text"),
    "int_type": lambda _: ("is not a whole number", "a whole number"),
    "int_parsing": lambda _: ("is not a whole number", "a whole number"),
    "int_from_float": lambda _: ("is not a whole number", "a whole number"),
    "float_type": lambda _: ("is not a number", "a number"),
    "float_parsing": lambda _: ("is not a number", "a number"),
    "bool_type": lambda _: ("is neither true nor false", "true or false"),
    "bool_parsing": lambda _: ("is neither true nor false", "true or false"),
    "list_type": lambda _: ("is not a list", "a list, such as `[a, b]`"),
    "dict_type": lambda _: ("is not a mapping", "a mapping, such as `{key: value}`"),
    "model_type": lambda _: ("is not a mapping", "a mapping, such as `{key: value}`"),
    "model_attributes_type": lambda _: ("is not a mapping", "a mapping, such as `{key: value}`"),
    "too_short": lambda c: ("is empty", f"at least {c.get('min_length')}"),
    "greater_than_equal": lambda c: ("is too small", f"at least {c.get('ge')}"),
    "greater_than": lambda c: ("is too small", f"more than {c.get('gt')}"),
    "less_than_equal": lambda c: ("is too large", f"at most {c.get('le')}"),
    "less_than": lambda c: ("is too large", f"less than {c.get('lt')}"),
    "finite_number": lambda _: ("is not a finite number", "a finite number"),
    "timezone_aware": lambda _: ("has no time zone", "a moment such as `2018-04-01T00:00:00Z`"),
    "datetime_from_date_parsing": lambda _: ("is not a moment", "a moment such as `2018-04-01T00:00:00Z`"),
    "datetime_parsing": lambda _: ("is not a moment", "a moment such as `2018-04-01T00:00:00Z`"),
}


def keys_at(model: Any, at: Loc) -> list[str]:
    """Return the keys that the model at the path `at` below `model` knows."""
    current = [model]
    for part in at:
        current = [found for one in current for found in _below(one, part)]
    keys: list[str] = []
    for one in _models(current):
        keys += [field.alias or name for name, field in one.model_fields.items() if name not in ("stage", "metric")]
    return sorted(set(keys))


def _below(annotation: Any, part: str | int) -> list[Any]:
    found: list[Any] = []
    for option in _options(annotation):
        origin, args = typing.get_origin(option), typing.get_args(option)
        if isinstance(option, type) and issubclass(option, BaseModel):
            fields = {field.alias or name: field for name, field in option.model_fields.items()}
            if part in fields:
                found.append(_annotated(fields[str(part)]))
            elif _tag_of(option, part):
                found.append(option)
        elif origin is dict:
            found.append(args[1])
        elif origin in (list, tuple) and isinstance(part, int):
            found.append(args[0])
    return found


def _annotated(field: Any) -> Any:
    return field.annotation


def _tag_of(model: type[BaseModel], part: str | int) -> bool:
    for name in ("kind", "stage", "metric", "by"):
        if name in model.model_fields and part in typing.get_args(model.model_fields[name].annotation):
            return True
    return False


def _options(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _options(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [found for option in typing.get_args(annotation) for found in _options(option)]
    return [annotation]


def _models(annotations: list[Any]) -> list[type[BaseModel]]:
    options = [option for annotation in annotations for option in _options(annotation)]
    return [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
