"""Entities: what features are about."""

from dataclasses import dataclass

from mlsd_framework.diagnostics.span import Span


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity and the columns that name it.

    `source` is the table that lists them all, where one does; `title` are its columns that say which one it is.
    """

    name: str
    key: tuple[str, ...]
    source: str | None = None
    title: tuple[str, ...] = ()
    describe: str | None = None
    span: Span | None = None
