"""A smaller log that is a log all the same: examples of some entities, with every row of these, from end to end."""

from collections.abc import Sequence

import polars as pl

from mlsd_framework.runtime.features.windows import WindowGroup
from mlsd_framework.runtime.verify.subject import Examples, Subject

EXAMPLES = 40_000
_SEED = 17


def thinned(subject: Subject, examples: Examples, number: int = EXAMPLES) -> dict[str, pl.DataFrame]:
    """Return the sources that the training set reads, with about `number` examples."""
    rows = subject.log(examples.source).rows
    by = _chosen_by(subject, examples)
    parts = max(rows.height // number, 1)
    found: dict[str, pl.DataFrame] = {}
    for name in examples.reads:
        frame = subject.log(name).rows
        if parts > 1 and frame.height > number and set(by) <= set(frame.columns):
            frame = frame.filter(_part(by, parts))
        found[name] = frame
    if examples.join is not None and found[examples.labels].height > number:
        kept = found[examples.source].select(examples.join)
        found[examples.labels] = found[examples.labels].join(kept, on=examples.join, how="semi", maintain_order="left")
    return found


def _chosen_by(subject: Subject, examples: Examples) -> Sequence[str]:
    """Return the columns of the first entity whose events are the examples, else the source's key."""
    for stored in subject.stored:
        if isinstance(stored.group, WindowGroup) and stored.group.source == examples.source:
            return stored.group.entity
    return subject.log(examples.source).table.key


def _part(by: Sequence[str], parts: int) -> pl.Expr:
    """Choose one part of so many by the hash of a key; the parts are the same in every source that has the key."""
    return (pl.struct([pl.col(name) for name in by]).hash(_SEED) % parts == 0) if by else pl.lit(value=True)
