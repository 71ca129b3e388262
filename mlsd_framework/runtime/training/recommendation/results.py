"""The figures of a pipeline as JSON, for programs; what is not known is null."""

import json
import math
from collections.abc import Mapping

from mlsd_framework.runtime.ranking_metrics.estimates import Estimate
from mlsd_framework.runtime.ranking_metrics.off_policy import PolicyValue
from mlsd_framework.runtime.training.metrics.bootstrap import Interval
from mlsd_framework.runtime.training.recommendation.measured import Measured, Ratio

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


def text(measured: Measured, *, system: str, version: str, facts: Mapping[str, str]) -> str:
    """Return `content` as text, headed by what it is of."""
    head: dict[str, Json] = {"system": system, "version": version, "facts": dict(facts)}
    return json.dumps({**head, **content(measured)}, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def content(measured: Measured) -> dict[str, Json]:
    """Return all figures: lists, funnel, exposure by group, slices, gates, off-policy estimates."""
    return {
        "pipeline": measured.subject.pipeline,
        "k": measured.k,
        "requests": measured.funnel.requests,
        "relevant": measured.funnel.relevant,
        "lists": [
            {
                "role": one.role,
                "name": one.name,
                "candidates": _known(one.candidates),
                "longest": one.longest,
                "values": _values(one.values),
                "ratios": _ratios(one.ratios),
            }
            for one in measured.lists
        ],
        "funnel": _funnel(measured),
        "exposure": {
            column: [
                {
                    "group": one.group,
                    "shown": _known(one.shown),
                    "relevant": _known(one.relevant),
                    "catalogue": _known(one.catalogue),
                }
                for one in groups
            ]
            for column, groups in measured.exposure.items()
        },
        "slices": [
            {
                "name": one.name,
                "stage": one.stage,
                "of": one.of,
                "requests": one.requests,
                "relevant": one.relevant,
                "values": _values(one.values),
                "ratios": _ratios(one.ratios),
            }
            for one in measured.slices
        ],
        "gates": [
            {"gate": str(one.gate), "where": one.gate.where, "value": _known(one.value), "holds": one.holds}
            for one in measured.gates
        ],
        "off_policy": [_policy(one) for one in measured.policies],
    }


def _funnel(measured: Measured) -> Json:
    found = measured.funnel
    return {
        "missed": found.missed,
        "sources": [
            {
                "name": one.name,
                "found": one.found,
                "unique": one.unique,
                "kept": one.kept,
                "unique_kept": one.unique_kept,
            }
            for one in found.sources
        ],
        "stages": [
            {"name": one.name, "found": one.found, "lost": one.lost, "added": one.added} for one in found.stages
        ],
    }


def _policy(one: PolicyValue) -> Json:
    return {
        "estimator": one.estimator,
        **_bounded(one.value, one.interval),
        "standard_error": _known(one.standard_error),
        "effective_size": _known(one.effective_size),
        "mean_weight": _known(one.mean_weight),
        "clipped": _known(one.clipped),
        "rows": one.rows,
    }


def _values(values: Mapping[str, Estimate]) -> Json:
    return {
        name: {**_bounded(one.value, one.interval), "requests": one.requests, "left_out": one.left_out}
        for name, one in values.items()
    }


def _ratios(ratios: Mapping[str, Ratio]) -> Json:
    return {
        name: {**_bounded(one.estimate.value, one.estimate.interval), "baseline": one.baseline}
        for name, one in ratios.items()
    }


def _bounded(value: float, interval: Interval | None) -> dict[str, Json]:
    ends = {} if interval is None else {"low": _known(interval.low), "high": _known(interval.high)}
    return {"value": _known(value), **ends}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
