"""The shape of one error code's page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A code, the name of the fault, one sentence of meaning, and what to do about it.

    `wrong` and `right` are short examples (YAML, a command or a request), empty where none fits.
    """

    code: str
    name: str
    meaning: str
    cure: str
    wrong: str = ""
    right: str = ""
