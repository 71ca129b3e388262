"""Card precision: of the k cards that investigators look at each day, how many are compromised."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.training.metrics.metric import Metric
from mlsd_framework.runtime.training.metrics.scored import FloatArray, IntArray, Scored


def card_precision(rows: Scored, weight: FloatArray, k: float) -> float:
    """Return the mean over days, by their weights, of (compromised cards among the k of highest score) / k.

    As in the Fraud Detection Handbook: a card's score and label of a day are the highest of its rows; a card found on
    one day is not shown again on later ones; the divisor is k even where fewer cards are left. What a day shows does
    not depend on weights: a card that was found stays found.
    """
    key = f"card_precision@{k}"
    if key not in rows.kept:
        rows.kept[key] = daily_card_precision(rows, k)
    total = weight.sum()
    return float(np.sum(rows.kept[key] * weight) / total) if total > 0 else float("nan")


def daily_card_precision(rows: Scored, k: float) -> FloatArray:
    """Return the share of each day of `rows.days`."""
    day, card, score, compromised = _by_day_and_card(rows)
    found: set[int] = set()
    shares: list[float] = []
    for begin, end in _runs(day):
        cards = card[begin:end]
        left = np.flatnonzero(~np.isin(cards, list(found))) if found else np.arange(end - begin)
        shown = left[np.argsort(-score[begin:end][left], kind="stable")[: int(k)]]
        hits = cards[shown[compromised[begin:end][shown]]]
        found.update(hits.tolist())
        shares.append(len(hits) / k)
    return np.array(shares, np.float64)


def _by_day_and_card(rows: Scored) -> tuple[IntArray, IntArray, FloatArray, NDArray[np.bool_]]:
    """Return one entry a day and card, by day then card: the highest score and whether any row is positive."""
    if rows.entity is None or rows.day is None:
        raise ValueError("rows carry no cards or days")
    day, card = rows.day, rows.entity
    order = np.lexsort((card, day))
    day, card = day[order], card[order]
    if not len(day):
        return day, card, rows.score[:0], np.zeros(0, np.bool_)
    starts = np.flatnonzero(np.append(True, (day[1:] != day[:-1]) | (card[1:] != card[:-1])))
    score = np.maximum.reduceat(rows.score[order], starts)
    positive = np.maximum.reduceat(rows.label[order], starts) > 0
    return day[starts], card[starts], score, positive


def _runs(day: IntArray) -> list[tuple[int, int]]:
    edges = [0, *(np.flatnonzero(day[1:] != day[:-1]) + 1).tolist(), len(day)]
    return list(pairwise(edges)) if len(day) else []


METRICS = (
    Metric(
        "card_precision",
        "card precision",
        card_precision,
        frozenset({"label", "score", "entity", "day"}),
        parameter=100,
        resampled_by="day",
    ),
)
