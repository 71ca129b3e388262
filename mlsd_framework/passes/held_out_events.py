"""What is held out of the label's events is held out of everything: no other source has the same rows."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.retrieval import HoldOut
from mlsd_framework.ir.sources import Files, Source
from mlsd_framework.ir.system import System


def held_out_events(system: System) -> Iterator[Diagnostic]:
    """Find feature groups that read the held-out events by another name, where nothing takes them away.

    `sources: {ratings: {path: log.csv}, likes: {path: log.csv}}`, `label: {from: ratings, hold_out: 25%}` and a group
    `from: likes` → E2067.
    """
    outcome = system.outcome
    if outcome is None or not isinstance(outcome.parts, HoldOut):
        return
    held = system.source(outcome.interactions.source)
    for group in system.stored:
        for name in group.sources:
            if name != held.name and _same_rows(system.source(name), held):
                what = f"`features.{group.name}` reads `{name}`, which has the rows of `{held.name}`"
                yield Diagnostic(
                    code="E2067",
                    what=f"{what}, of which events are held out",
                    span=group.span,
                    expected=f"`from: {held.name}`, from which they are taken away",
                )


def _same_rows(one: Source, other: Source) -> bool:
    match one.origin, other.origin:
        case Files(uri=uri), Files(uri=held):
            return uri == held
    return one.origin == other.origin
