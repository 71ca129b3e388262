"""Which keys a place of the spec can have, read from the pydantic models, and paths without a union's branch names."""

import types
import typing
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel, Tag

Loc = tuple[str | int, ...]

_CHOOSERS: Final = ("kind", "stage", "metric", "by")
# `- score: {…}` writes the name of the branch, `kind: events` does not.
_WRITTEN: Final = ("stage", "metric")


def keys_at(model: Any, at: Loc) -> list[str]:
    """Return the keys that the model at the path `at` below `model` knows; `at` holds the names of branches."""
    current = [model]
    for part in at:
        current = [found for one in current for found in _below(one, part)[0]]
    keys: list[str] = []
    for one in (option for annotation in current for _, option in _options(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            keys += [field.alias or name for name, field in one.model_fields.items() if name not in _WRITTEN]
    return sorted(set(keys))


def without_tags(model: Any, at: Loc) -> Loc:
    """Return `at` without the names of branches that a spec does not write as keys."""
    current, kept = [model], []
    for part in at:
        steps = [_below(one, part) for one in current]
        if not any(hidden for found, hidden in steps if found):
            kept.append(part)
        current = [one for found, _ in steps for one in found]
    return tuple(kept)


def _below(annotation: Any, part: str | int) -> tuple[list[Any], bool]:
    """Return what stands below `part`, and whether `part` is the hidden name of a branch."""
    options = list(_options(annotation))
    chosen = [option for names, option in options if part in names]
    if chosen:
        return [_Chosen(option) for option in chosen], not any(
            name in getattr(one, "model_fields", ()) for one in chosen for name in _WRITTEN
        )
    found: list[Any] = []
    for _, option in options:
        origin, args = typing.get_origin(option), typing.get_args(option)
        if isinstance(option, type) and issubclass(option, BaseModel):
            fields = {field.alias or name: field for name, field in option.model_fields.items()}
            found += [fields[str(part)].annotation] if part in fields else []
        elif origin is dict:
            found.append(args[1])
        elif origin in (list, tuple) and isinstance(part, int):
            found.append(args[0])
    return found, not found and isinstance(part, str) and _names_a_type(part)


class _Chosen:
    """A branch that has been chosen: its name is not looked for again."""

    def __init__(self, option: Any) -> None:
        """Take the branch."""
        self.option = option


def _options(annotation: Any, names: frozenset[str] = frozenset()) -> Iterator[tuple[frozenset[str], Any]]:
    """Yield each branch of an annotation with the names that choose it."""
    if isinstance(annotation, _Chosen):
        yield frozenset(), annotation.option
        return
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        inner, *notes = typing.get_args(annotation)
        yield from _options(inner, names | {note.tag for note in notes if isinstance(note, Tag)})
    elif origin in (typing.Union, types.UnionType):
        for option in typing.get_args(annotation):
            yield from _options(option, _chosen_by(option))
    else:
        yield names, annotation


def _chosen_by(option: Any) -> frozenset[str]:
    """Return the values of a branch's own key, such as `by: time`, that choose it."""
    if not (isinstance(option, type) and issubclass(option, BaseModel)):
        return frozenset()
    names: set[str] = set()
    for key in _CHOOSERS:
        if key in option.model_fields:
            names |= {str(value) for value in typing.get_args(option.model_fields[key].annotation)}
    return frozenset(names)


def _names_a_type(part: str) -> bool:
    """Say whether pydantic's name for a branch that is no model stands in a path, such as `function-before[…]`."""
    return "[" in part or part in ("str", "int", "float", "bool", "timedelta")
