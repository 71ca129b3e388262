"""Other sinks: YAML and JSON serialized from data, text for Markdown, paths below the output folder."""

import json
import re
from pathlib import PurePosixPath
from typing import Final

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import InternalError

_SAFE_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()#+!|<>~$&-])")


def to_json(data: object) -> str:
    """Serialize to JSON with sorted keys and a newline at the end."""
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=True) + "\n"


def to_yaml(data: object, header: str) -> str:
    """Serialize to YAML in the order of the data, below comment lines of ours."""
    import yaml  # noqa: PLC0415 - only targets that write YAML pay

    body: str = yaml.safe_dump(data, sort_keys=False, default_flow_style=False, allow_unicode=False, width=110)
    return f"{header}{body}"


def markdown(text: str) -> str:
    """Return text of a spec so that Markdown and the HTML in it show it as it stands, on one line."""
    flat = " ".join(text.split())
    flat = "".join(char if char.isprintable() else " " for char in flat)
    return _MARKDOWN.sub(r"\\\1", flat).replace("\\<", "&lt;").replace("\\>", "&gt;")


def mermaid(text: str) -> str:
    """Return text of a spec as a quoted Mermaid label."""
    flat = "".join(char if char.isalnum() or char in " _.,:/-()%" else " " for char in " ".join(text.split()))
    return f'"{flat}"'


def inside(path: str) -> PurePosixPath:
    """Return a generated file's path below its folder; anything that could leave it is a bug of the passes before."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or not all(_SAFE_PART.match(part) for part in parts):
        raise InternalError(Diagnostic(code="E9001", what=f"`{path!r}` reached the writer as a path"))
    return PurePosixPath(path)
