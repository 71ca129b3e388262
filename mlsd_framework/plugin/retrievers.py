"""The extension point for kinds of models that find candidates."""

from typing import Protocol

from mlsd_framework.codegen.python import Call, Imports
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.system import System
from mlsd_framework.lower.kinds import RetrieverLowering


class RetrieverKind(RetrieverLowering, Protocol):
    """A kind of retriever: its YAML and the class that answers; it is a `FittedKind` or a `TrainedKind` too.

    One whose class has `item_vectors` says `has_vectors = True`. One whose folder has a tower of items as ONNX, which
    embeds an item that came after the training, says `embeds_new = True`. One that answers from memory in well under a
    millisecond says `quick = True`: without a budget of its own it is asked in the thread of the request.
    """

    def source(self, retriever: Retriever) -> str:
        """Return the `module:name` of its class, a `Source` of `runtime.retrieval`; only generated code imports it."""

    @property
    def file(self) -> str:
        """The file of its folder that the class is loaded from."""


class FittedKind(RetrieverKind, Protocol):
    """A kind of retriever that one call fits."""

    def fit(self, retriever: Retriever, imports: Imports) -> Call:
        """Return the call that fits it on the interactions `log`; what it needs beside its class is imported."""


class TextKind(FittedKind, Protocol):
    """A kind of retriever that knows items by what they are in words; its YAML has `text`, columns of their table."""

    def vectors(self, retriever: Retriever, imports: Imports) -> Call:
        """Return the call that makes vectors [items, D] of `words`, a text an item, an empty one where it has none.

        What `fit` returns reads them as `vectors()`.
        """


class TrainedKind(RetrieverKind, Protocol):
    """A kind of retriever with a script of its own, in which `fit(log)` returns what answers.

    One that says `reads_windows = True` takes features of windows among its `user_features`. Where it is given some,
    `fit` takes the rows of `codegen.interactions_code.fitted_on` behind the log, and computes them as of the moments of
    its examples.
    """

    def training(self, retriever: Retriever, system: System) -> str:
        """Return the text of `training/<model>.py`."""
