"""For whom and for what a pipeline is measured apart: users by history, columns of requests, items by their age."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.ranking_metrics.relevance import Relevant
from mlsd_framework.runtime.training.metrics.slices import SliceBy, masks
from mlsd_framework.runtime.training.recommendation.metrics import Context
from mlsd_framework.runtime.training.recommendation.subject import Subject

_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of the requests ([requests]), or some of the relevant items of a gain above 0 ([rows]).

    With `among` no list holds other items than those of such a kind either: what was known is taken out of it.
    """

    name: str
    of: Literal["requests", "items"]
    mask: NDArray[np.bool_]
    among: bool = False


def slices_of(
    context: Context,
    by: Sequence[SliceBy],
    *,
    short_history: int,
    new_item_days: float,
    named: frozenset[str] = frozenset(),
) -> tuple[Slice, ...]:
    """Return the slices that every pipeline has, then those by columns of requests, named `column=value`.

    no_history      users without any event before; cold_start: with fewer than `short_history`; warm: all others
    new_to_user     relevant items that the user did not have before; known_to_user: that the user had
    discovery       the same as new_to_user, of lists without what the user had
    new_items       relevant items first seen within `new_item_days` before the request, or later; old_items: earlier

    Slices by columns with fewer rows than `min_rows` are left out, but those that a gate names.
    """
    subject = context.subject
    events = np.diff(subject.histories.offsets)
    relevant = subject.relevant.positive()
    new = _is_new_to_user(context, relevant)
    young = _is_new(subject, relevant, new_item_days)
    fixed = (
        Slice("no_history", "requests", events == 0),
        Slice("cold_start", "requests", events < short_history),
        Slice("warm", "requests", events >= short_history),
        Slice("new_to_user", "items", new),
        Slice("known_to_user", "items", ~new),
        Slice("discovery", "items", new, among=True),
        Slice("new_items", "items", young),
        Slice("old_items", "items", ~young),
    )
    return (*fixed, *(one for rule in by for one in _by_column(subject, rule, named)))


def _by_column(subject: Subject, rule: SliceBy, named: frozenset[str]) -> list[Slice]:
    found = [
        Slice(f"{rule.column}={value}", "requests", mask)
        for value, mask in masks(subject.requests[rule.column].to_numpy(), rule)
    ]
    return [one for one in found if one.name in named or np.count_nonzero(one.mask) >= rule.min_rows]


def _is_new_to_user(context: Context, relevant: Relevant) -> NDArray[np.bool_]:
    """Tell which relevant items are not in the history of their request: [rows]."""
    return context.new(relevant.request_of, relevant.items)


def _is_new(subject: Subject, relevant: Relevant, days: float) -> NDArray[np.bool_]:
    since = subject.histories.at[relevant.request_of] - round(days * _DAY)
    return np.asarray(subject.catalogue.first_seen[relevant.items] >= since)
