"""Words, names and numbers of a system as cells of Markdown: whatever a spec says goes through `markdown`."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mlsd_framework.codegen.files import markdown
from mlsd_framework.spec.quantities import write_duration

_NAME: Final = re.compile(r"[A-Za-z0-9_.,/:<>? -]{1,200}\Z")
_UNITS: Final = ((2**40, "TB"), (2**30, "GB"), (2**20, "MB"), (2**10, "KB"))
NONE: Final = "—"


@dataclass(frozen=True, slots=True)
class Table:
    """A Markdown table: cells are Markdown already."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def rule(self) -> tuple[str, ...]:
        """Return the line below the heads."""
        return ("---",) * len(self.heads)


def code(name: str) -> str:
    """Return a name or a type as a code span; what could leave the span is written as text."""
    return f"`{name}`" if _NAME.match(name) and name == name.strip() else markdown(name)


def codes(names: tuple[str, ...] | list[str]) -> str:
    """Return several names."""
    return ", ".join(code(name) for name in names) or NONE


def duration(value: timedelta | None) -> str:
    """Return a length of time as a spec writes it."""
    return NONE if value is None else write_duration(value)


def number(value: float) -> str:
    """Return a number with thousands apart and no more digits than it has."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,g}"


def percent(value: float) -> str:
    """Return a share in hundredths."""
    return f"{100 * value:.6g} %"


def size(value: float) -> str:
    """Return a number of bytes in the largest unit that leaves at least one."""
    for unit, name in _UNITS:
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return f"{value:.0f} bytes"
