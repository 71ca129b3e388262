"""The Jinja environment: templates have loops and one-condition branches; the rest is computed in a context."""

from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from jinja2 import Environment


def folder() -> Path:
    """Return the folder of templates: in the installed package, or at the root of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - 70 ms that only building pays

    return Environment(
        loader=FileSystemLoader(folder()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - code, not HTML: each value goes through the literals and `files` of its sink
    )


def render(template: str, context: "DataclassInstance") -> str:
    """Render `template`, named below `templates/`, with the fields of one frozen dataclass."""
    values = {field.name: getattr(context, field.name) for field in fields(context)}
    text = _environment().get_template(template).render(values)
    return "\n".join(line.rstrip() for line in text.split("\n"))
