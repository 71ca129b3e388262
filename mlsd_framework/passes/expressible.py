"""What the chosen environment and its targets can express."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.features import DerivedGroup, WindowGroup, read_groups
from mlsd_framework.ir.system import System


def expressible(system: System) -> Iterator[Diagnostic]:
    """Find what no target can do as it stands.

    A window group without `refresh` and stream that a pipeline fetches → E3001; a wide `host` without `auth` → E3002.
    """
    environment = system.environment
    fetched = {
        value.group
        for endpoint in system.serving
        for stage in endpoint.pipeline
        for value in stage.writes
        if stage.kind == "fetch"
    }
    for group in system.features:
        if isinstance(group, WindowGroup) and group.refresh is None and not group.live and group.name in fetched:
            yield Diagnostic(
                code="E3001",
                what=f"`features.{group.name}` is exact to the event, and its source `{group.source}` has no `stream`",
                span=group.span,
                expected="`stream:` on the source, or `refresh:` with how often a batch computes the group",
            )
    for group in system.features:
        if isinstance(group, DerivedGroup) and environment.offline == "spark":
            yield Diagnostic(
                code="E3007",
                what=f"`features.{group.name}` is of kind `{group.kind}`, which the Spark jobs do not compute",
                span=group.span,
                expected=f"`offline: polars` in the environment `{environment.name}`",
            )
        if isinstance(group, WindowGroup) and read_groups(group) and environment.offline == "spark":
            yield Diagnostic(
                code="E3007",
                what=f"`features.{group.name}` reads features of `{read_groups(group)[0]}`, as Spark jobs cannot",
                span=group.span,
                expected=f"`offline: polars` in the environment `{environment.name}`",
            )
    if not environment.loopback and environment.token is None:
        yield Diagnostic(
            code="E3002",
            what=f"the environment `{environment.name}` listens on `{environment.host}` without a token",
            span=environment.span,
            expected="`auth: {token: {env: NAME}}`, or a loopback address",
        )
    if environment.target == "kubernetes" and environment.online_store is None and fetched:
        yield Diagnostic(
            code="E3003",
            what=f"the environment `{environment.name}` is a cluster, and its online store is the embedded one",
            span=environment.span,
            expected="`online_store: {url: {env: REDIS_URL}}`",
        )
