"""Measuring a pipeline: every metric of every source, stage and baseline, ratios, funnel, exposure, slices, gates."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.ranking_metrics import exposure, off_policy
from mlsd_framework.runtime.ranking_metrics.estimates import Bootstrap, Estimate, means
from mlsd_framework.runtime.ranking_metrics.funnel import funnel
from mlsd_framework.runtime.ranking_metrics.off_policy import PolicyValue
from mlsd_framework.runtime.ranking_metrics.relevance import Judged
from mlsd_framework.runtime.training.gates import Gate, Outcome
from mlsd_framework.runtime.training.metrics.slices import SliceBy
from mlsd_framework.runtime.training.recommendation.measured import (
    GroupExposure,
    Measured,
    MeasuredList,
    MeasuredSlice,
)
from mlsd_framework.runtime.training.recommendation.metrics import (
    OVERALL,
    Context,
    base_of,
    before_cuts,
    beyond_at,
    depth_of,
    overall,
    stage_of,
)
from mlsd_framework.runtime.training.recommendation.slices import Slice, slices_of
from mlsd_framework.runtime.training.recommendation.subject import LoggedPolicy, Subject
from mlsd_framework.runtime.training.recommendation.table import Place, Table, compared

_POINTS = 60  # of a curve of recall


def measure(
    subject: Subject,
    *,
    metrics: Sequence[str],
    k: int = 10,
    slices: Sequence[SliceBy] = (),
    gates: Sequence[Gate] = (),
    short_history: int = 5,
    new_item_days: float = 28.0,
    bootstrap: Bootstrap | None = None,
) -> Measured:
    """Return all figures of a pipeline; with `bootstrap` their intervals, for which users are drawn with all requests.

    `metrics` and those of gates are names of `accuracy.METRICS`, `BEYOND` or `OVERALL` with a depth, as `recall@500`;
    what lies beyond relevance is always measured at `k`, the length of the list that users look at. A gate is of the
    last stage unless it names another, and of one slice if it names one (`slices_of` says how they are called); one on
    an estimate of `logged`, such as `snips`, is of what all users see. What the subject has `again`, of the same users
    in other circumstances, is a slice each.
    Raises E6322, E6323, E6381 and E6382.

        subject = Subject(
            "recommend", requests, user="household_id", relevant=bought, histories=asked,
            catalogue=ItemFacts.of_log(log.until(moment), keys, groups={"department": departments}),
            sources={"again": again, "popular": popular},
            stages={"merged": pool, "ranked": ranked, "taken": ranked.top(10)},
            baselines={"most popular": popular},
        )
        measured = evaluation.measure(
            subject, metrics=["ndcg@10", "recall@500"], slices=[SliceBy("segment")], bootstrap=Bootstrap(seed=7),
            gates=[Gate("ndcg@10", ">=", 0.2), Gate("ndcg@10", ">=", 0.05, slice="cold_start"),
                   Gate("recall@500", ">=", 0.5, stage="merged")],
        )
        writing.write(workspace, measured, ORIGIN, version=version)
        gates.enforce(measured.gates)
    """
    policies = () if subject.logged is None else _policies(subject.logged, bootstrap)
    estimated: dict[str, float] = {one.estimator: one.value for one in policies}
    asked = tuple(dict.fromkeys([*metrics, *(gate.metric for gate in gates if gate.metric not in estimated)]))
    for name in asked:
        depth_of(name)
    context, beyond = Context(subject), beyond_at(k, subject)
    table = Table.of(context, [*asked, *beyond])
    named = frozenset(gate.slice for gate in gates)
    parts = slices_of(context, slices, short_history=short_history, new_item_days=new_item_days, named=named)
    lists = _lists(table, [*asked, *beyond], bootstrap)
    others = {name: Table.of(Context(one), asked) for name, one in subject.again.items()}
    sliced = [*((one, table) for one in parts), *((_whole(name, one), one) for name, one in others.items())]
    return Measured(
        subject,
        asked,
        beyond,
        k,
        lists,
        funnel(subject.sources, subject.stages, subject.relevant, k),
        {column: _exposure(subject, groups, k) for column, groups in subject.catalogue.groups.items()},
        tuple(_slices(sliced, _by_stage(asked, lists), asked, bootstrap)),
        tuple(Outcome(gate, _met(gate, table, lists, parts, others, estimated)) for gate in gates),
        policies,
    )


def _lists(table: Table, metrics: Sequence[str], bootstrap: Bootstrap | None) -> tuple[MeasuredList, ...]:
    """Return every list's figures; all means come from the same draws, as do all ratios."""
    units = table.context.subject.units
    columns = {(place, name): column for place, of in table.values.items() for name, column in of.items()}
    found = means(columns, bootstrap, units)
    against = compared(table.values, table.values, bootstrap, units)
    lists: list[MeasuredList] = []
    for place, ranked in table.answers.items():
        values = {
            name: Estimate(overall(name, ranked, table.context), ranked.requests, 0)
            if base_of(name) in OVERALL
            else found[place, name]
            for name in dict.fromkeys(metrics)
        }
        size = float(ranked.lengths.mean()) if ranked.requests else float("nan")
        longest = int(ranked.lengths.max(initial=0))
        lists.append(MeasuredList(*place, size, longest, values, against[place], _curve(table.judged[place])))
    return tuple(lists)


def _curve(judged: Judged) -> tuple[tuple[int, float], ...]:
    """Return mean recall at depths that are even on a logarithmic axis, down to the longest list."""
    deepest, defined = int(judged.lengths.max(initial=0)), int(np.count_nonzero(~np.isnan(judged.counts)))
    if not deepest or not defined:
        return ()
    shares = 1 / (judged.counts[judged.request_of] * defined)
    at = np.cumsum(np.bincount(judged.ranks, shares, minlength=deepest + 1)[1:])
    depths = np.unique(np.round(np.geomspace(1, deepest, _POINTS)).astype(np.int64))
    return tuple(zip(depths.tolist(), at[depths - 1].tolist(), strict=True))


def _by_stage(metrics: Sequence[str], lists: Sequence[MeasuredList]) -> dict[str, list[str]]:
    """Return the metrics that slices have at each stage: the last, and where some are deeper another."""
    longest = {one.name: one.longest for one in lists if one.role == "stage"}
    found: dict[str, list[str]] = {list(longest)[-1]: []}
    for name in metrics:
        found.setdefault(stage_of(name, longest), []).append(name)
    return found


def _slices(
    sliced: Sequence[tuple[Slice, Table]],
    by_stage: Mapping[str, list[str]],
    metrics: Sequence[str],
    bootstrap: Bootstrap | None,
) -> Iterator[MeasuredSlice]:
    """Yield the figures of every slice at each stage where it has any; `by_stage` begins with the last stage."""
    last = next(iter(by_stage))
    for stage, names in by_stage.items():
        for part, table in sliced:
            if not part.among:
                yield _slice(table, part, stage, names, bootstrap)
            elif stage == last:
                yield _slice(table, part, before_cuts(table.context.subject.stages), metrics, bootstrap)


def _slice(table: Table, part: Slice, stage: str, metrics: Sequence[str], bootstrap: Bootstrap | None) -> MeasuredSlice:
    """Return a stage's figures of a slice, and its ratios to the baselines there."""
    subject = table.context.subject
    here: Place = ("stage", stage)
    places: list[Place] = [here, *(("baseline", name) for name in subject.baselines)]
    inside = {place: table.inside(part, place, metrics) for place in places}
    request_of, units = subject.relevant.positive().request_of, subject.units
    if part.of == "requests":
        requests, relevant = int(np.count_nonzero(part.mask)), int(np.count_nonzero(part.mask[request_of]))
        units = None if units is None else units[part.mask]
    else:
        requests, relevant = int(np.count_nonzero(np.bincount(request_of[part.mask]))), int(np.count_nonzero(part.mask))
    values, against = means(inside[here], bootstrap, units), compared(inside, [here], bootstrap, units)
    return MeasuredSlice(part.name, stage, part.of, requests, relevant, values, against[here])


def _exposure(subject: Subject, groups: NDArray[np.generic], k: int) -> tuple[GroupExposure, ...]:
    items = len(subject.catalogue)
    taken = np.bincount(subject.relevant.positive().items, minlength=items).astype(np.float64)
    shown = exposure.shares(exposure.exposure(subject.stages[subject.last], k, items), groups)
    wanted, there = exposure.shares(taken, groups), exposure.shares(np.ones(items), groups)
    return tuple(GroupExposure(group, share, wanted[group], there[group]) for group, share in shown.items())


def _whole(name: str, table: Table) -> Slice:
    """Return all requests of others as a slice."""
    return Slice(name, "requests", np.ones(len(table.context.subject.requests), np.bool_))


def _met(
    gate: Gate,
    table: Table,
    lists: Sequence[MeasuredList],
    parts: Sequence[Slice],
    others: Mapping[str, Table],
    estimated: Mapping[str, float],
) -> float:
    """Return the value that a gate meets; NaN where its part, stage or slice is not there or does not have it."""
    if gate.metric in estimated:
        whole = gate.part == "test" and not (gate.stage or gate.slice)
        return estimated[gate.metric] if whole else float("nan")
    found = [part for part in parts if part.name == gate.slice]
    last = before_cuts(table.context.subject.stages) if found and found[0].among else table.context.subject.last
    stage = gate.stage or last
    measured = {one.name: one.values for one in lists if one.role == "stage"}
    if gate.part != "test" or stage not in measured:
        return float("nan")
    if not gate.slice:
        return measured[stage][gate.metric].value
    if gate.slice in others:
        table = others[gate.slice]
        return means(table.inside(_whole(gate.slice, table), ("stage", stage), [gate.metric]))[gate.metric].value
    values = [table.inside(part, ("stage", stage), [gate.metric]) for part in found]
    return means(values[0])[gate.metric].value if values and values[0] else float("nan")


def _policies(logged: LoggedPolicy, bootstrap: Bootstrap | None) -> tuple[PolicyValue, ...]:
    """Return what the log earned, and the estimates of what the pipeline would have."""
    log, clip = logged.log, logged.clip
    found = [
        off_policy.on_policy(log.reward, bootstrap, log.units),
        off_policy.ips(log, clip=clip, bootstrap=bootstrap),
        off_policy.snips(log, clip=clip, bootstrap=bootstrap),
    ]
    if logged.expected is not None:
        found.append(off_policy.direct(log, logged.expected, bootstrap=bootstrap))
        if logged.of_shown is not None:
            robust = off_policy.doubly_robust(log, logged.expected, logged.of_shown, clip=clip, bootstrap=bootstrap)
            found.append(robust)
    return tuple(found)
