"""How a micro-batch moves the positions of the partitions that it was read from."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import polars as pl

from mlsd_framework.runtime.stream.decoding import Decoded
from mlsd_framework.runtime.stream.live import LiveSource
from mlsd_framework.runtime.stream.position import Position, order_of
from mlsd_framework.runtime.stream.rejection import Rejected
from mlsd_framework.runtime.stream.source import Chunk


def moved(
    chunks: Sequence[Chunk], decoded: Decoded, before: Mapping[str, Position], event_time: str
) -> dict[str, Position]:
    """Return the position of each chunk's partition after it, from those before."""
    after: dict[str, Position] = {}
    ends = np.cumsum([len(chunk.payloads) for chunk in chunks])
    of = np.searchsorted(ends, np.asarray(decoded.origins, np.int64), side="right")
    times = decoded.frame.get_column(event_time).to_physical().to_numpy()
    for at, chunk in enumerate(chunks):
        was, last = before[chunk.partition], chunk.positions[-1]
        seen = times[of == at]
        newest = int(seen.max()) if len(seen) else None
        marks = [mark for mark in (was.watermark, newest) if mark is not None]
        is_ahead = was.lettered is not None and order_of(was.lettered) > order_of(last)
        after[chunk.partition] = msgspec.structs.replace(
            was,
            at=last,
            count=chunk.count,
            events=was.events + len(seen),
            rejected=was.rejected + sum(one.partition == chunk.partition for one in decoded.rejected),
            watermark=max(marks, default=None),
            lettered=was.lettered if is_ahead else None,
        )
    return after


def watermark(events: pl.DataFrame, live: LiveSource) -> int | None:
    """Return the newest event time of a frame, in microseconds UTC."""
    newest = events.get_column(str(live.table.event_time)).to_physical().max()
    return newest if isinstance(newest, int) else None


def unlettered(rejected: Sequence[Rejected], before: Mapping[str, Position]) -> list[Rejected]:
    """Return those among the rejected that no other generation has written to the dead letters."""
    bounds = {name: order_of(at.lettered) for name, at in before.items() if at.lettered is not None}
    if not bounds:
        return list(rejected)
    return [one for one in rejected if order_of(one.position) > bounds.get(one.partition, (-1,))]
