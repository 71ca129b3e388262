"""The table of functions in docs/expressions.md, made from their entries."""

from itertools import groupby

from mlsd_framework.ir.functions import FUNCTIONS

BEGIN, END = "<!-- functions: generated -->", "<!-- end of functions -->"


def function_table() -> str:
    """Return the functions as Markdown, one table a group, in the order of their entries."""
    parts = []
    for group, entries in groupby(FUNCTIONS.values(), key=lambda entry: entry.group):
        rows = []
        for entry in entries:
            text, value = entry.examples[0]
            shown = f"`{text}` is {_value(value)}".replace("|", "\\|")
            rows.append(f"| `{entry.signature}` | {entry.doc.replace('|', chr(92) + '|')} | {shown} |")
        head = f"### {group.capitalize()}\n\n| function | what it gives | example |\n|---|---|---|"
        parts.append("\n".join([head, *rows]))
    return "\n\n".join(parts)


def with_table(page: str) -> str:
    """Return the page with the table of today between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{function_table()}\n\n{END}{after}"


def _value(value: object) -> str:
    if isinstance(value, str):
        return f"`'{value}'`"
    return "null" if value is None else f"`{str(value).lower()}`"
