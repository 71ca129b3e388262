"""Every list of an evaluation, where it shows what is relevant, and its metrics of each request."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.ranking_metrics import accuracy
from mlsd_framework.runtime.ranking_metrics.estimates import Bootstrap, means, ratios
from mlsd_framework.runtime.ranking_metrics.relevance import FloatArray, Judged, judge
from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.training.recommendation.measured import Ratio, Role
from mlsd_framework.runtime.training.recommendation.metrics import COMPARED, OVERALL, Context, base_of, per_request
from mlsd_framework.runtime.training.recommendation.slices import Slice

Place = tuple[Role, str]
Values = Mapping[str, FloatArray]
"""Metrics by name: [requests] each."""


@dataclass(frozen=True, slots=True)
class Table:
    """`answers`, `judged` and `values` are by role and name: sources, stages, then baselines, each in their order."""

    context: Context
    answers: Mapping[Place, Candidates]
    judged: Mapping[Place, Judged]
    values: Mapping[Place, Values]

    @classmethod
    def of(cls, context: Context, metrics: Iterable[str]) -> "Table":
        """Judge every list and compute the metrics that have a value a request; raises E6323, E6381 and E6382."""
        subject = context.subject
        roles: dict[Role, Mapping[str, Candidates]] = {
            "source": subject.sources,
            "stage": subject.stages,
            "baseline": subject.baselines,
        }
        answers = {(role, name): ranked for role, named in roles.items() for name, ranked in named.items()}
        judged = {place: judge(ranked, subject.relevant) for place, ranked in answers.items()}
        names = [name for name in dict.fromkeys(metrics) if base_of(name) not in OVERALL]
        values = {
            place: {name: per_request(name, ranked, judged[place], context) for name in names}
            for place, ranked in answers.items()
        }
        return cls(context, answers, judged, values)

    def inside(self, part: Slice, place: Place, metrics: Sequence[str]) -> dict[str, FloatArray]:
        """Return the metrics of a list on a slice, those that it can have: of items they are those of relevance."""
        if part.of == "requests":
            return {name: self.values[place][name][part.mask] for name in metrics if name in self.values[place]}
        relevant = self.context.subject.relevant.positive().where(part.mask)
        ranked = self.answers[place]
        if part.among:
            ranked = ranked.where(self.context.new(ranked.request_of, ranked.items))
        judged = judge(ranked, relevant)
        return {name: accuracy.per_request(name, judged) for name in metrics if base_of(name) in accuracy.METRICS}


def compared(
    values: Mapping[Place, Values],
    of: Iterable[Place],
    bootstrap: Bootstrap | None,
    units: NDArray[np.generic] | None,
) -> dict[Place, dict[str, Ratio]]:
    """Return the ratios of some lists to the baseline that is best at each metric of which more is better.

    The best is that of the largest mean, of equal ones the first. All ratios come from the same draws.
    """
    found: dict[Place, dict[str, Ratio]] = {place: {} for place in of}
    baselines = {name: means(columns) for (role, name), columns in values.items() if role == "baseline"}
    if not baselines:
        return found
    metrics = [metric for metric in next(iter(values.values())) if base_of(metric) in COMPARED]
    best = {
        metric: max(baselines, key=lambda name: np.nan_to_num(baselines[name][metric].value, nan=-1.0))
        for metric in metrics
    }
    pairs = {
        (place, metric): (values[place][metric], values["baseline", best[metric]][metric])
        for place in found
        for metric in metrics
    }
    for (place, metric), estimate in ratios(pairs, bootstrap, units).items():
        found[place][metric] = Ratio(best[metric], estimate)
    return found
