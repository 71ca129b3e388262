"""Secrets written in clear are refused before anything else is looked at, so that nothing repeats them."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.secrets import holds_secret, mask
from mlsd_framework.spec.document import Data, Document, dotted

EXPECTED = "{env: NAME} or {file: PATH} where the language takes a secret, and none anywhere else"


def secrets_in_clear(document: Document) -> Iterator[Diagnostic]:
    """Find every value and key of the file that looks like a secret; their text is hidden wherever it is shown."""
    for at, is_key in _suspicious(document.data, ()):
        shown = mask(dotted(at))
        yield Diagnostic(
            code="E1105",
            what=f"{'the key ' if is_key else ''}`{shown}` looks like a secret written in clear",
            span=document.place(at, key=True) if is_key else document.extent(at),
            expected=EXPECTED,
            secret=True,
        )


def _suspicious(value: Data, at: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], bool]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if holds_secret(key):
                yield (*at, key), True
            yield from _suspicious(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _suspicious(item, (*at, index))
    elif isinstance(value, str) and holds_secret(value):
        yield at, False
