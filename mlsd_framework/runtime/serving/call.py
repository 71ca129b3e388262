"""One request on its way through a pipeline.

Its id, its deadline, the stages it passed and those it had to do without.
"""

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from mlsd_framework.runtime.serving.histogram import Histogram

OnError = Literal["fail", "default", "skip", "fallback"]


class DeadlineError(Exception):
    """The time for the whole request is spent."""


class StageError(Exception):
    """A stage that the answer cannot do without has failed; the cause is chained."""

    def __init__(self, stage: str) -> None:
        """Name the stage."""
        super().__init__(stage)
        self.stage = stage


class FallbackError(Exception):
    """A stage has failed, and the pipeline's fallback answers in its place; the cause is among the call's failures."""


@dataclass(eq=False, slots=True)
class Stage:
    """A named step of a pipeline, its share of the latency in seconds, and what happens when it fails.

    `fail` ends the request; `default`, `skip` and `fallback` go on with what the code assigned before the stage, and
    the answer names the stage as degraded.
    """

    name: str
    budget: float = 0.0
    on_error: OnError = "fail"
    seconds: Histogram = field(default_factory=Histogram, init=False)


class Call:
    """One request in its pipeline. `with call.stage(FETCH): ...` times a stage and keeps its promise about failures."""

    __slots__ = (
        "_began",
        "_stage",
        "began",
        "candidates",
        "counted",
        "deadline",
        "degraded",
        "failures",
        "over_budget",
        "passed",
        "request_id",
        "traced",
        "warming",
    )

    def __init__(
        self, request_id: str, began: float, timeout: float, *, traced: bool = False, warming: bool = False
    ) -> None:
        """Start at `began` (of `time.perf_counter`), to be answered within `timeout` seconds.

        `warming` is whether this is no request but the service's own first try, which may take longer than any budget.
        `traced` is whether the caller asks how the answer came about; `passed` then holds stages and their seconds.
        """
        self.request_id = request_id
        self.began = began
        self.deadline = began + timeout
        self.degraded: list[str] = []
        self.failures: list[tuple[str, Exception]] = []
        self.over_budget: list[str] = []
        self.traced = traced
        self.warming = warming
        self.passed: list[tuple[str, float]] = []
        self.candidates: dict[str, int] = {}
        self.counted: list[tuple[str, ...]] = []

    def stage(self, stage: Stage) -> Self:
        """Enter `stage`; raise `DeadlineError` when the request's time is spent."""
        self._began = time.perf_counter()
        if self._began > self.deadline:
            raise DeadlineError
        self._stage = stage
        return self

    def remaining(self) -> float:
        """Return the seconds left of the stage's budget and the request's time, whichever is less; never negative."""
        now = time.perf_counter()
        left = self.deadline - now
        if self._stage.budget:
            left = min(left, self._stage.budget - (now - self._began))
        return max(0.0, left)

    def count(self, family: str, *labels: str) -> None:
        """Have the worker count one more of `family`, a counter of `exposition`, under the endpoint and `labels`."""
        self.counted.append((family, *labels))

    def left(self, candidates: int) -> None:
        """Note how many candidates the stage that is under way leaves."""
        if self.traced:
            self.candidates[self._stage.name] = candidates

    def took(self, stage: Stage, seconds: float) -> None:
        """Note the time that `stage` took."""
        stage.seconds.observe(seconds)
        if self.traced:
            self.passed.append((stage.name, seconds))
        if stage.budget and seconds > stage.budget:
            self.over_budget.append(stage.name)

    def without(self, stage: Stage, error: Exception) -> None:
        """Go on without `stage`, which failed by `error`, where the spec says how; else raise `StageError`."""
        if stage.on_error == "fail":
            raise StageError(stage.name) from error
        self.degraded.append(stage.name)
        self.failures.append((stage.name, error))
        if stage.on_error == "fallback":
            raise FallbackError from error

    def failed(self, stage: Stage) -> bool:
        """Return whether `stage` failed, so that its fallback has to be taken."""
        return stage.name in self.degraded

    def __enter__(self) -> Self:
        """Begin the stage."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """End the stage: time it, and swallow its failure when the spec says how to go on without it."""
        stage = self._stage
        seconds = time.perf_counter() - self._began
        self.took(stage, seconds)
        if error is None:
            return False
        if isinstance(error, DeadlineError) or not isinstance(error, Exception):
            return False
        self.without(stage, error)
        return True
