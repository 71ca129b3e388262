"""Endpoints have paths of their own, answer with a decision or with candidates, and take what a request can hold."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.features import DerivedGroup, TableGroup
from mlsd_framework.ir.serving import Endpoint, decides, retrieves
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import INTEGERS, DataType

# What every service answers itself.
_OURS = frozenset({"/healthz", "/readyz", "/livez", "/metrics", "/docs", "/openapi", "/schema", "/version"})
_EVENTS = "/events/"
_UNSERVED = frozenset({"list", "vector", "struct", "image", "point", "edge"})
_UNSTORED = _UNSERVED | {"date", "duration"}


def endpoints(system: System) -> Iterator[Diagnostic]:
    """Find paths that the service has already, pipelines without a decision, and types that nothing can carry.

    `/healthz: {…}` → E2049; a pipeline without `decide` → E3004; a request with an `image` → E3005.
    """
    for endpoint in system.serving:
        if endpoint.path in _OURS or endpoint.path.startswith(_EVENTS):
            what = f"the path `{endpoint.path}` is one that every service answers itself"
            yield Diagnostic(code="E2049", what=what, span=endpoint.span, help="choose another path")
        yield from _answer(endpoint)
    for group in system.features:
        for feature in group.features if isinstance(group, TableGroup | DerivedGroup) else ():
            if not _is_stored(feature.type):
                what = f"`features.{group.name}` keeps `{feature.name}` of type `{feature.type.not_null()}`"
                yield Diagnostic(code="E3005", what=f"{what}, which no stored row can hold", span=feature.span)


def _is_stored(type_: DataType) -> bool:
    # A list or a vector is stored where its items are.
    if type_.item is not None:
        return type_.item.item is None and _is_stored(type_.item)
    return type_.name not in _UNSTORED


def _is_sent(type_: DataType) -> bool:
    """Say whether a request can hold a list of this type."""
    item = type_.item
    return type_.name == "list" and item is not None and (item.text or item.name in INTEGERS) and not item.nullable


def _answer(endpoint: Endpoint) -> Iterator[Diagnostic]:
    if not decides(endpoint) and not retrieves(endpoint):
        what = f"the pipeline of `{endpoint.path}` ends without a decision and without candidates"
        expected = "`- decide: {score: …, actions: […], …}`, or `- retrieve: …`"
        yield Diagnostic(code="E3004", what=what, span=endpoint.span, expected=expected)
    for value in endpoint.request:
        if value.type.name in _UNSERVED and not (endpoint.source is None and _is_sent(value.type)):
            rows = f" rows of `{endpoint.source}`, whose column" if endpoint.source is not None else ""
            what = f"`{endpoint.path}` takes{rows} `{value.name}`{' is' if rows else ' of type'} `{value.type}`"
            yield Diagnostic(
                code="E3005",
                what=f"{what}, which no request can hold",
                span=value.span,
                help="leave the column out of the schema, or keep it in another source" if rows else "leave it out",
            )
