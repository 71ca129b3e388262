"""A service of decisions or recommendations as one object.

Its identity, its limits, its endpoints; what a generated `service.py` declares and BentoML serves.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.access import Access
from mlsd_framework.runtime.serving.bundle import Bundle, check_fits, load_bundle, locate_bundle
from mlsd_framework.runtime.serving.call import Call, Stage, StageError
from mlsd_framework.runtime.serving.decision import Decision
from mlsd_framework.runtime.serving.event_source import EventSource
from mlsd_framework.runtime.serving.limits import Limits
from mlsd_framework.runtime.serving.logs import Log, LogPolicy
from mlsd_framework.runtime.serving.recommendations import Feedback, Recommendations
from mlsd_framework.runtime.serving.telemetry import Telemetry

if TYPE_CHECKING:
    from mlsd_framework.runtime.retrieval.live_items import LiveItems
    from mlsd_framework.runtime.serving.following import Follower

Request_contra = TypeVar("Request_contra", bound=msgspec.Struct, contravariant=True)
PipelineType = TypeVar("PipelineType", bound="type[Pipeline[Any]]")

Answer = Decision | Recommendations

REQUESTS = "requests.json"
_SHOWN = 50  # real requests that a page offers
_STORE_FAULTS = "E622"  # unreachable, late, left alone, nothing published yet


class RealRequest(msgspec.Struct):
    """A row of the test part as a request, and what its label is."""

    request: dict[str, Any]
    label: Any = None


class Pipeline(Protocol[Request_contra]):
    """What answers an endpoint: made once from the bundle, then called once a request, on the event loop."""

    def __init__(self, bundle: Bundle) -> None:
        """Load what the stages need."""

    def __call__(self, request: Request_contra, call: Call) -> Answer:
        """Answer one request."""


@dataclass(slots=True)
class Endpoint:
    """A path, the types of its request and of its answer, real examples, and the pipeline that answers.

    `user` names the field of the request that says whom to recommend to, `feedback` the events that a page may send.
    """

    path: str
    request: type[msgspec.Struct]
    example: Mapping[str, Any]
    stages: tuple[Stage, ...]
    pipeline: type[Pipeline[Any]]
    summary: str
    answer: type[Answer] = Decision
    user: str | None = None
    feedback: tuple[Feedback, ...] = ()
    examples: list[Mapping[str, Any]] = field(init=False)
    decoder: msgspec.json.Decoder[Any] = field(init=False)
    handler: Pipeline[Any] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Compile the decoder."""
        self.examples = [self.example]
        self.decoder = msgspec.json.Decoder(self.request)


class Application:
    """A service: endpoints are declared with `post`.

    `start` loads the bundle; `bento.in_front` puts it before a BentoML service.

    `spec` and `features` are the fingerprints of what the code was generated from; only a bundle with the same ones is
    served.
    """

    def __init__(
        self,
        system: str,
        *,
        spec: str,
        features: str,
        file: str,
        limits: Limits | None = None,
        log: LogPolicy | None = None,
    ) -> None:
        """Declare the service of `system`; `file` is the `__file__` of the module that does."""
        self.system = system
        self.spec = spec
        self.features = features
        self.file = Path(file)
        self.limits = limits or Limits()
        self.log_policy = log or LogPolicy()
        self.endpoints: dict[str, Endpoint] = {}
        self.sources: dict[str, EventSource] = {}
        self.access = Access(None)
        self.log = Log()
        self.telemetry = Telemetry(system)
        self.version = ""
        self.draining = False
        self._followed: dict[str, tuple[LiveItems, float, Mapping[str, tuple[float, int]]]] = {}
        self._followers: list[Follower] = []

    def post(
        self,
        path: str,
        *,
        request: type[msgspec.Struct],
        example: Mapping[str, Any],
        stages: tuple[Stage, ...] = (),
        answer: type[Answer] = Decision,
        user: str | None = None,
        feedback: tuple[Feedback, ...] = (),
    ) -> Callable[[PipelineType], PipelineType]:
        """Return a decorator that makes a pipeline class the answer to POST `path`; `example` is a real request.

        The page of recommendations needs `user`, and `feedback` of sources that are declared by `events`.
        """

        def declare(pipeline: PipelineType) -> PipelineType:
            summary = (pipeline.__doc__ or path).strip().splitlines()[0]
            self.endpoints[path] = Endpoint(path, request, example, stages, pipeline, summary, answer, user, feedback)
            return pipeline

        return declare

    def events(
        self,
        source: str,
        *,
        event: type[msgspec.Struct],
        stream: str,
        by: tuple[str, ...],
        example: Mapping[str, Any],
        partitions: int = 1,
    ) -> None:
        """Take events at POST /events/`source` and add them to a stream; those that are equal in `by` stay in order."""
        path = f"/events/{source}"
        self.sources[path] = EventSource(path, source, event, stream, partitions, by, example)

    def follow(
        self, entity: str, items: "LiveItems", *, within: float, recalls: Mapping[str, tuple[float, int]]
    ) -> "LiveItems":
        """Keep items up to date while they are served, each change `within` so many seconds; return them.

        `recalls` has for each of their towers what its index has to find when it is built anew: the share of so many
        nearest.
        """
        self._followed.setdefault(entity, (items, within, recalls))
        return items

    @property
    def started(self) -> bool:
        """Whether every pipeline is loaded and has answered its example."""
        return bool(self.version)

    def start(self, *, telemetry: Telemetry | None = None, log: Log | None = None, changes: Path | None = None) -> None:
        """Find and check the bundle.

        Load every pipeline and let each answer its example once, so that the first request is not slow. `changes` is
        the folder of what has changed of the version's items, and what will.

        Raises `RunError` with E6402 to E6406, E6411, E6413, E6415.
        """
        self.access = Access.from_environment()
        self.log = log or self.log
        bundle = load_bundle(locate_bundle(self.system, self.file))
        check_fits(bundle, system=self.system, spec=self.spec, features=self.features)
        self.telemetry = telemetry or self.telemetry
        self.telemetry.version = bundle.version
        real = bundle.read(REQUESTS, dict[str, list[RealRequest]]) if REQUESTS in bundle.manifest.files else {}
        for endpoint in self.endpoints.values():
            self._show(endpoint, real.get(endpoint.path, ()))
            endpoint.handler = endpoint.pipeline(bundle)
        if changes is not None:
            self.catch_up(changes, bundle.version)
        for endpoint in self.endpoints.values():
            self._warm(endpoint)
            for stage in endpoint.stages:
                stage.seconds = self.telemetry.stage(endpoint.path, stage.name)
        self.version = bundle.version
        for follower in self._followers:
            follower.start()

    def stop(self) -> None:
        """End what runs beside the requests."""
        for follower in self._followers:
            follower.stop()

    def catch_up(self, changes: Path, version: str) -> None:
        """Take in what has changed so far of the items that the pipelines which are loaded follow."""
        from mlsd_framework.runtime.retrieval.item_changes import (  # noqa: PLC0415 - only services of items pay for it
            ChangeFolder,
        )
        from mlsd_framework.runtime.serving.following import Followed, Follower  # noqa: PLC0415 - as above

        for entity, (items, within, recalls) in self._followed.items():
            folder = ChangeFolder(changes / entity, version)
            follower = Follower(Followed(entity, items, within, recalls), folder, self.telemetry, self.log)
            follower.catch_up()
            self._followers.append(follower)

    def _show(self, endpoint: Endpoint, rows: Sequence[RealRequest]) -> None:
        """Take the first real rows that are requests as examples; one that is none is no reason not to serve."""
        fit: list[Mapping[str, Any]] = []
        for row in rows[:_SHOWN]:
            try:
                endpoint.decoder.decode(msgspec.json.encode(row.request))
            except msgspec.ValidationError as fault:
                what = f"a row of `{REQUESTS}` is no request for `{endpoint.path}`: {fault}"
                self.log.event("unfit_example", "warning", endpoint=endpoint.path, message=what)
            else:
                fit.append(row.request)
        if fit:
            endpoint.example, endpoint.examples = fit[0], fit

    def _warm(self, endpoint: Endpoint) -> None:
        """Answer the example a few times (E6415 where that cannot be done, unless only the store is to blame)."""
        handler = endpoint.handler
        if handler is None:
            return
        example = endpoint.decoder.decode(msgspec.json.encode(endpoint.example))
        try:
            for _ in range(3):
                # An hour: what is compiled or connected at the first call may take longer than a request.
                msgspec.json.encode(handler(example, Call("warm-up", time.perf_counter(), 3600.0, warming=True)))
        except StageError as error:
            cause = error.__cause__
            if isinstance(cause, RunError) and cause.diagnostics[0].code.startswith(_STORE_FAULTS):
                self.log.failure("warm_up_without_store", cause, endpoint=endpoint.path, stage=error.stage)
                return
            raise RunError.of(
                "E6415",
                f"`{endpoint.path}` cannot answer its own example: stage `{error.stage}` fails: {cause}",
                help="build, train and deploy from the same spec",
            ) from error
