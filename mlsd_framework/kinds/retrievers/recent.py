"""`kind: recent`: what the user dealt with last."""

from typing import Any, Literal

from mlsd_framework.codegen.python import Call, Imports
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.kinds.retrievers.parts import FILE
from mlsd_framework.spec.retrievers import RetrieverSpec


class RecentSpec(RetrieverSpec):
    """The last items of the history."""

    kind: Literal["recent"]


class Recent:
    """The last items of the history."""

    name = "recent"
    quick = True
    spec = RecentSpec
    file = FILE
    of_history = True

    def source(self, retriever: Retriever) -> str:  # noqa: ARG002 - the kind's protocol
        """Return its class."""
        return "mlsd_framework.runtime.retrieval.recent:Recent"

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:  # noqa: ARG002 - the kind's protocol
        """Return nothing: there is nothing to set."""
        return ()

    def fit(self, retriever: Retriever, imports: Imports) -> Call:  # noqa: ARG002 - as above
        """Return the call that makes it: there is nothing to learn."""
        return Call("Recent.fit")
