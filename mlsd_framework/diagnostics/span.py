"""Places in a file: where a YAML key or value stands."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of one file; lines and columns count from 1, `end_column` is exclusive."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        """Print as `path:line:column`, which terminals and editors turn into a link."""
        return f"{self.path}:{self.line}:{self.column}"
