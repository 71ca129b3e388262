"""The extension point for kinds of models that find candidates."""

from typing import Protocol

from mlsd_framework.codegen.python import Call, Imports
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.lower.kinds import RetrieverLowering


class RetrieverKind(RetrieverLowering, Protocol):
    """A kind of retriever: its YAML, how it is fitted, and the class that answers.

    One whose class has `item_vectors` says `has_vectors = True`.
    """

    @property
    def source(self) -> str:
        """The `module:name` of its class, a `Source` of `runtime.retrieval`; only generated code imports it."""

    def fit(self, retriever: Retriever, imports: Imports) -> Call:
        """Return the call that fits it on the interactions `log`; what it needs beside its class is imported."""
