"""Pieces of generated code, as kinds hand them to the targets."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fragment:
    """Lines of Python without indentation of their own block, and the imports that they need."""

    lines: tuple[str, ...] = ()
    imports: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ServiceNames:
    """How the generated service calls things."""


@dataclass(frozen=True, slots=True)
class ScriptNames:
    """How a generated script calls things."""
