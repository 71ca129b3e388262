"""What checking a source found, as data, as JSON-able values and as a table for people."""

from dataclasses import dataclass
from typing import Literal

from mlsd_framework.runtime.data.schema import Action

Check = Literal["types", "nulls", "ranges", "categories", "duplicates", "order"]


@dataclass(frozen=True, slots=True)
class Example:
    """One value at fault and its row in the frame, counted from 1 in reading order."""

    row: int
    value: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault in one column (or in the key): how many rows have it, and the first of them."""

    check: Check
    column: str
    count: int
    action: Action
    expected: str
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class SourceReport:
    """All faults of a source of `rows` rows, in the order of the checks and of the columns."""

    source: str
    rows: int
    max_faults: float
    faults: tuple[Fault, ...]

    def data(self) -> dict[str, object]:
        """Return the report as values that `json.dumps` takes."""
        return {
            "source": self.source,
            "rows": self.rows,
            "faults": [
                {
                    "check": fault.check,
                    "column": fault.column,
                    "count": fault.count,
                    "fraction": fault.count / self.rows if self.rows else 0.0,
                    "action": fault.action,
                    "expected": fault.expected,
                    "examples": [{"row": example.row, "value": example.value} for example in fault.examples],
                }
                for fault in self.faults
            ],
        }

    def text(self) -> str:
        """Return the report as a table, one line a fault."""
        title = f"{self.source}: {self.rows:,} rows"
        if not self.faults:
            return f"{title}, no faults"
        lines = [("check", "column", "rows", "share", "leads to", "expected", "first rows")]
        lines += [
            (
                fault.check,
                fault.column,
                f"{fault.count:,}",
                f"{fault.count / max(self.rows, 1):.2%}",
                fault.action,
                fault.expected,
                "; ".join(f"{example.row}: {example.value}" for example in fault.examples[:3]),
            )
            for fault in self.faults
        ]
        widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]) - 1)]
        table = [
            "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]])
            for line in lines
        ]
        return "\n".join([title, *("  " + line for line in table)])
