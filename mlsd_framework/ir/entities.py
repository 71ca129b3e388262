"""Entities: what features are about."""

from dataclasses import dataclass

from mlsd_framework.diagnostics.span import Span


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity and the columns that name it."""

    name: str
    key: tuple[str, ...]
    describe: str | None = None
    span: Span | None = None
