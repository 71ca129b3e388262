"""The names that an expression may use, and what to say of one that it may not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.ir.types import DataType

_MOST_NAMES = 12


class Scope(Protocol):
    """The names that an expression may use."""

    def lookup(self, qualifier: str | None, name: str) -> DataType | None:
        """Return the type of `qualifier.name`, or of the bare name; None where it is not in sight."""
        ...

    def names(self) -> Iterable[str]:
        """Yield every name in sight as the spec writes it, for suggestions."""
        ...


@dataclass(frozen=True, slots=True)
class NameScope:
    """A scope from names as the spec writes them (`amount`, `card_activity.spend_7d`) to types."""

    types: Mapping[str, DataType]

    def lookup(self, qualifier: str | None, name: str) -> DataType | None:
        """Return the type of the name."""
        return self.types.get(name if qualifier is None else f"{qualifier}.{name}")

    def names(self) -> Iterable[str]:
        """Yield every name."""
        return self.types.keys()


def unknown_column(path: str, scope: Scope) -> tuple[str | None, str | None]:
    """Return what was expected in place of an unknown name, and what to do about it."""
    names = sorted(scope.names())
    near = next((name for name in names if name.endswith(f".{path}")), None) or nearest(path, names)
    expected = f"one of: {', '.join(names)}" if 0 < len(names) <= _MOST_NAMES else None
    return expected, f"did you mean `{near}`?" if near else None
