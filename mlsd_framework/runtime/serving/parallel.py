"""Sources of candidates at once: each has a budget of its own, and one that is late or fails is left out.

A source runs in a thread that is its own for the life of the process, one request at a time, so there are never more
threads than sources. Nothing can stop a source that is late: it goes on, what it says then is thrown away, and until it
is done the next requests go without it at once. Numpy, numba, onnxruntime and the indexes release the interpreter's
lock while they compute, so sources overlap; one that is quicker than a thread is woken (some ten microseconds) is
better asked inline, in the thread of the request, while the others work.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Generic, TypeVar

from mlsd_framework.runtime.serving.call import Call, Stage

T = TypeVar("T")


class LateError(Exception):
    """A source had not answered when its budget or the request's time was spent."""


class BusyError(Exception):
    """A source is still at work for an earlier request."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source as a stage: its name in the answer and the metrics, its budget in seconds (0: the request's time).

    With `on_error="fail"` the request ends where it is late or fails. `inline` asks it in the thread of the request;
    then it cannot be left, and its budget is only held against the time that it took.
    """

    name: str
    stage: Stage
    inline: bool = False


class Parallel(Generic[T]):
    """The sources of one endpoint; for one thread, that which runs the pipeline."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """Take the sources; their threads begin when they are first asked."""
        self._sources = tuple(sources)
        self._threads = {source.name: _Thread[T](source.stage.name) for source in sources if not source.inline}

    def run(self, call: Call, asked: Mapping[str, Callable[[], T]]) -> dict[str, T]:
        """Ask the sources, each by the function under its name, and return what they say, in their declared order.

        A source that is not `asked` is left alone. One that is late, fails, or is still at work is left out; `call`
        tells it as of any stage, by its stage's policy. What has been said when it is looked for is taken, over its
        budget or not. This is a stage of its own, not to be run within one. A function must not write to what it was
        given: it may still run when the request is over. Raises `StageError` or `FallbackError`, as a stage does.
        """
        began = time.perf_counter()
        said: SimpleQueue[_Said[T]] = SimpleQueue()
        awaited: dict[str, float] = {}
        found: dict[str, _Said[T]] = {}
        for source in self._sources:
            if source.inline or source.name not in asked:
                continue
            if self._threads[source.name].begin(source.name, asked[source.name], said):
                awaited[source.name] = _until(source.stage, began, call)
            else:
                what = f"`{source.stage.name}` is still at work for an earlier request"
                found[source.name] = _Said(source.name, None, BusyError(what), None)
        for source in self._sources:
            if source.inline and source.name in asked:
                found[source.name] = _answer(source.name, asked[source.name])
        _collect(said, awaited, found, began)
        return self._told(call, found)

    def _told(self, call: Call, found: Mapping[str, "_Said[T]"]) -> dict[str, T]:
        """Tell `call` how the sources fared, and return what those said that answered."""
        answers: dict[str, T] = {}
        for source in self._sources:
            said = found.get(source.name)
            if said is None:
                continue
            if said.seconds is not None:
                call.took(source.stage, said.seconds)
            if said.error is None:
                answers[source.name] = said.answer  # type: ignore[assignment] # of a source without an error
                continue
            if isinstance(said.error, BusyError):
                call.count("still_at_work", source.stage.name)
            call.without(source.stage, said.error)
        return answers


@dataclass(slots=True)
class _Said(Generic[T]):
    """What came of asking a source; `seconds` is None where it was not asked."""

    source: str
    answer: T | None
    error: Exception | None
    seconds: float | None


class _Thread(Generic[T]):
    """The thread of one source."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._idle = Lock()
        self._work: SimpleQueue[tuple[str, Callable[[], T], SimpleQueue[_Said[T]]]] = SimpleQueue()
        self._thread: Thread | None = None

    def begin(self, source: str, ask: Callable[[], T], said: "SimpleQueue[_Said[T]]") -> bool:
        """Have `ask` called and its answer put into `said`; return whether the thread is free to do so."""
        if not self._idle.acquire(blocking=False):
            return False
        if self._thread is None:
            # A daemon: a source that hangs must not keep the process from ending.
            self._thread = Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._work.put((source, ask, said))
        return True

    def _run(self) -> None:
        while True:
            source, ask, said = self._work.get()
            answer = _answer(source, ask)
            self._idle.release()
            said.put(answer)
            del source, ask, said, answer  # not to be held until the next request


def _answer(source: str, ask: Callable[[], T]) -> _Said[T]:
    began = time.perf_counter()
    try:
        return _Said(source, ask(), None, time.perf_counter() - began)
    except Exception as error:  # noqa: BLE001 - whatever it is, the request goes on without this source or fails by it
        return _Said(source, None, error, time.perf_counter() - began)


def _until(stage: Stage, began: float, call: Call) -> float:
    # What is compiled at the first try takes longer than any budget.
    return min(call.deadline, began + stage.budget) if stage.budget and not call.warming else call.deadline


def _collect(
    said: "SimpleQueue[_Said[T]]", awaited: dict[str, float], found: dict[str, _Said[T]], began: float
) -> None:
    """Wait for each of `awaited` until its time is up; what is said later by one that was given up is ignored."""
    while awaited:
        until = min(awaited.values())
        now = time.perf_counter()
        try:
            answer = said.get(timeout=until - now) if now < until else said.get_nowait()
        except Empty:
            now = time.perf_counter()
            for name in [name for name, until in awaited.items() if until <= now]:
                del awaited[name]
                late = LateError(f"no answer within {(now - began) * 1e3:.3g} ms")
                found[name] = _Said(name, None, late, now - began)
        else:
            if awaited.pop(answer.source, None) is not None:
                found[answer.source] = answer
