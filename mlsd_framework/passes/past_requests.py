"""What a pipeline reads of a request from its retrieval on is known of past requests, as training asks them."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.serving import Endpoint
from mlsd_framework.ir.system import System


def past_requests(system: System) -> Iterator[Diagnostic]:
    """Find values of a request that only the service knows: neither who asks, nor when, and without a default.

    A retrieval that is asked by such a value has candidates of past requests no more than a filter.

    `filter: product.price < limit` with `request: {user_id: int64, limit: float64}` → E2065.
    """
    outcome = system.outcome
    for endpoint in system.serving:
        if outcome is not None and endpoint.path == outcome.endpoint:
            yield from _unknown(endpoint, outcome.interactions.user)


def _unknown(endpoint: Endpoint, user: str) -> Iterator[Diagnostic]:
    moments = {
        value.name
        for stage in endpoint.pipeline
        for value in stage.reads
        if stage.kind == "retrieve" and value.group is None and value.type.name == "timestamp"
    }
    given = {user, *moments, *(name for name, _ in endpoint.defaults)}
    asked = {value.name for value in endpoint.request} - given
    retrieved: set[str] = set()
    for stage in endpoint.pipeline:
        for value in stage.reads if retrieved or stage.kind == "retrieve" else ():
            if value.group is None and value.name in asked:
                what = f"the stage `{stage.name}` reads `{value.name}`, which is not known of requests of the past"
                yield Diagnostic(
                    code="E2065",
                    what=what,
                    span=value.span or stage.span,
                    help=f"give `{value.name}` a `default`, which is then taken for them",
                )
        retrieved |= {value.name for value in stage.writes if value.rows is not None}
