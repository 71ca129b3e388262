"""A line a stage with its time on standard error, and on a terminal what it is doing now."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TextIO

from mlsd_framework.plan.explainer import duration

_BEAT_S = 0.1
_WIDTH = 100
_SPINNER = "|/-\\"


@dataclass
class Step:
    """A stage under way: `note` is shown beside its name while it runs, `said` when it is done."""

    note: str = ""
    said: str = ""


@dataclass
class Progress:
    """Writes to `stream`; with `quiet` nothing at all."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    quiet: bool = False

    @contextmanager
    def step(self, title: str, number: int, total: int) -> Iterator[Step]:
        """Show a step while the block runs; a failure is marked and passes on."""
        step, begun = Step(), time.monotonic()
        head = f"[{number}/{total}] {title}"
        ended = threading.Event()
        painter = None
        if self.stream.isatty() and not self.quiet:
            painter = threading.Thread(target=self._paint, args=(head, step, begun, ended), daemon=True)
            painter.start()
        else:
            self._line(f"{head} ...")
        mark = "failed"
        try:
            yield step
            mark = "done"
        finally:
            ended.set()
            if painter is not None:
                painter.join()
                self.stream.write("\r\x1b[K")
            said = f": {step.said}" if step.said and mark == "done" else ""
            self._line(f"{head} {mark} in {duration(time.monotonic() - begun)}{said}")

    def say(self, text: str) -> None:
        """Write a line."""
        self._line(text)

    def _line(self, text: str) -> None:
        if not self.quiet:
            with suppress(BrokenPipeError):  # nobody reads any more; the work goes on
                self.stream.write(f"{text}\n")
                self.stream.flush()

    def _paint(self, head: str, step: Step, begun: float, ended: threading.Event) -> None:
        beat = 0
        while not ended.wait(_BEAT_S):
            beat += 1
            note = f"  {step.note}" if step.note else ""
            text = f"{_SPINNER[beat % 4]} {head}  {duration(time.monotonic() - begun)}{note}"
            self.stream.write(f"\r\x1b[K{text[:_WIDTH]}")
            self.stream.flush()
