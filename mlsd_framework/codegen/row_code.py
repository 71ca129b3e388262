"""What the lines of a stage over candidates are written into: a service, or a script that runs the pipeline in batch.

The lines are the same: they read and assign `candidates`. What differs is where values of the request, histories, files
of the version and ids come from.
"""

from typing import Protocol

from mlsd_framework.codegen.python import Imports, Item, literal
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.serving import Value


class RowCode(Protocol):
    """A pipeline over candidates as it grows."""

    @property
    def imports(self) -> Imports:
        """The imports of the file."""

    @property
    def request_ids(self) -> str:
        """The source of the ids of the requests, in order."""

    def name(self, thing: str, wanted: str) -> str:
        """Return the name of a thing in the pipeline."""

    def own(self, thing: str, wanted: str) -> str:
        """Return the name of a constant of this pipeline."""

    def declare(self, name: str, source: str, span: Span | None = None) -> None:
        """Put a constant above the pipeline."""

    @property
    def depth(self) -> int:
        """How deep the lines of a stage are indented, in levels: what decides where a long line breaks."""

    def catalogue(self, entity: str) -> str:
        """Return the source of the items of an entity."""

    def later(self, entity: str, model: str) -> str | None:
        """Return the source of what gives vectors of items that came after the version was made; none where none do.

        It is a function as `mmr.diversified` takes it.
        """

    def file(self, path: str) -> str:
        """Return the source of the path of a file of the version, where things are made once."""

    def once(self, thing: str, wanted: str, made: Item) -> str:
        """Return the source of a thing that is made once, before any request."""

    def loaded(self, thing: str, wanted: str, function: str, path: str) -> str:
        """Return the source of what `function` makes of a file of the version, which is loaded once."""

    def value(self, value: Value | FeatureRef) -> str:
        """Return the source of a value: an array of all rows, or one value for all rows of a single request."""


def row_value(dotted: str) -> str:
    """Return the source of what each candidate has under a name."""
    return f"candidates.columns[{literal(dotted)}]"
