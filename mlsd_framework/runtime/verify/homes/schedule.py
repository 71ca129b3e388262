"""When a replayed log is asked: events in the order of writing, in micro-batches, each question at its moment."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from mlsd_framework.runtime.features.windows import WindowGroup
from mlsd_framework.runtime.verify.sampling import MOMENT, Sample

_BATCH = 128


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that arrive together, and the questions that are asked then: every event written by then has arrived."""

    rows: pl.DataFrame
    questions: range


def schedule(sample: Sample, rows: pl.DataFrame, *, seed: int = 1) -> Iterator[Batch]:
    """Yield the rows of a sample in micro-batches, shuffled within each; some rows come a second time."""
    group = sample.stored.group
    if not isinstance(group, WindowGroup):
        raise TypeError(group.name)
    draw = np.random.default_rng(seed)
    ordered = rows.sort(_written(group), *group.key, maintain_order=True)
    written = ordered.get_column(_written(group)).to_physical().to_numpy()
    moments = sample.questions.get_column(MOMENT).to_numpy()
    asked = int(np.searchsorted(moments, written[0])) if len(written) else 0
    yield Batch(ordered.clear(), range(asked))  # before anything has happened
    size = max(_BATCH, ordered.height // 160)
    repeated: list[int] = []
    for begin in range(0, ordered.height, size):
        end = min(begin + size, ordered.height)
        taken = [*range(begin, end), *repeated, *(range(begin, begin + 2) if group.key else ())]
        draw.shuffle(taken)
        until = int(np.searchsorted(moments, written[end])) if end < ordered.height else len(moments)
        yield Batch(ordered[taken], range(asked, until))
        asked = until
        # A source without a key has no duplicates: nothing says that two rows are one event.
        repeated = draw.integers(begin, end, 6).tolist() if group.key else []


def _written(group: WindowGroup) -> str:
    return group.ingest_time or group.event_time
