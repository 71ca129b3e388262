"""Metrics and figures as the report writes them; all that is returned is HTML."""

import math
from collections.abc import Callable, Mapping
from html import escape

from mlsd_framework.runtime.ranking_metrics.estimates import Estimate
from mlsd_framework.runtime.training.metrics.bootstrap import Interval
from mlsd_framework.runtime.training.recommendation.measured import Ratio
from mlsd_framework.runtime.training.report.tables import UNKNOWN, number, percent

_TITLES: Mapping[str, str] = {
    "ndcg": "NDCG",
    "mrr": "MRR",
    "map": "MAP",
    "hit_rate": "hit rate",
    "intra_list_diversity": "diversity",
    "average_popularity": "mean popularity",
    "popularity_lift": "popularity lift",
    "gini": "Gini",
}
SLICES: Mapping[str, str] = {
    "no_history": "users without a history",
    "cold_start": "users with a short history or none",
    "warm": "all other users",
    "new_to_user": "items new to the user",
    "known_to_user": "items the user had before",
    "discovery": "items new to the user, in lists without what the user had",
    "new_items": "new items",
    "old_items": "all other items",
}
"""What slices that every pipeline has are, by the name that gates use."""


def title(metric: str) -> str:
    """Return a metric's name as the field writes it: `NDCG@10`."""
    base, at, depth = metric.partition("@")
    return escape(f"{_TITLES.get(base, base)}{at}{depth}")


def figure(value: float) -> str:
    """Return a figure of four digits; a dash where it is not known."""
    if math.isnan(value):
        return UNKNOWN
    return f"{value:.4f}" if 0 < abs(value) < 1 else number(value)


def end(value: float) -> str:
    """Return the end of an interval, of three digits."""
    return f"{value:.3f}" if 0 < abs(value) < 1 else number(float(f"{value:.3g}"))


def estimate(one: Estimate, ratio: Ratio | None = None) -> str:
    """Return a mean, its interval below it, and below that its ratio to the best baseline with its own."""
    shown = [f"{figure(one.value)}{_between(one.interval, end)}"]
    if ratio is not None and not math.isnan(ratio.estimate.value):
        told = f"&times;{times(ratio.estimate.value)}{_between(ratio.estimate.interval, times)}"
        shown.append(f'<div class="ratio {_verdict(ratio.estimate.interval)}">{told}</div>')
    return "".join(shown)


def times(value: float) -> str:
    """Return a ratio of three digits."""
    return UNKNOWN if math.isnan(value) else f"{value:.2f}"


def share(part: float, whole: float) -> str:
    """Return a part of a whole in percent; a dash of nothing."""
    return percent(part / whole) if whole else UNKNOWN


def slice_title(name: str, note: str) -> str:
    """Return what a slice holds, the name that gates use, and a note."""
    words = f"{escape(SLICES[name])}<br>" if name in SLICES else ""
    return f'<div class="slice">{words}<code>{escape(name)}</code><br><small>{escape(note)}</small></div>'


def size(mean: float) -> str:
    """Return a mean number of candidates, whole where it is not small."""
    return number(mean if mean < 10 or math.isnan(mean) else round(mean))  # noqa: PLR2004 - where decimals end to matter


def _between(interval: Interval | None, shown: Callable[[float], str]) -> str:
    if interval is None or math.isnan(interval.low):
        return ""
    return f"<small>{shown(interval.low)} to {shown(interval.high)}</small>"


def _verdict(interval: Interval | None) -> str:
    """Tell whether a ratio is above 1, below, or may be either."""
    if interval is None or math.isnan(interval.low):
        return "even"
    return "better" if interval.low > 1 else "worse" if interval.high < 1 else "even"
