"""Lower `serving`: each endpoint's pipeline, stage by stage, with what each reads and writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from mlsd_framework.ir.entities import Entity
from mlsd_framework.ir.features import FeatureGroup
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.serving import Cache, Endpoint, Limits, Stage, Value
from mlsd_framework.ir.sources import Source
from mlsd_framework.lower.context import Context
from mlsd_framework.lower.kinds import StageLowering
from mlsd_framework.lower.parameters import Request, lower_parameters
from mlsd_framework.lower.request import request_columns
from mlsd_framework.lower.scope import NameScope, StageScope
from mlsd_framework.spec.loading import Loc
from mlsd_framework.spec.serving import ParameterSpec


@dataclass
class ServingLowering:
    """What pipelines can name."""

    sources: Mapping[str, Source]
    entities: Mapping[str, Entity]
    groups: Mapping[str, FeatureGroup]
    models: Mapping[str, Model]
    retrievers: Mapping[str, Retriever]
    declared: Mapping[str, frozenset[str]]
    label: Label | None
    kinds: Mapping[str, StageLowering]
    context: Context

    def lower(self, specs: Mapping[str, Any]) -> tuple[Endpoint, ...]:
        """Return the endpoints that have no faults, in the order of the file."""
        found = [self._endpoint(path, spec) for path, spec in specs.items()]
        return tuple(one for one in found if one is not None)

    def _endpoint(self, path: str, spec: Any) -> Endpoint | None:
        at: Loc = ("serving", path)
        before = len(self.context.faults)
        asked = self._request(path, spec.request)
        if asked is None:
            return None
        request = tuple(Value(None, column.name, column.type, column.span) for column in asked.columns)
        moment = next((value for value in request if value.name == asked.moment), None)
        stages: list[Stage] = []
        dropped: set[str] = set()
        for index, item in enumerate(spec.pipeline):
            stage = self._stage(item, (*at, "pipeline", index), request, tuple(stages), frozenset(dropped), moment)
            if stage is not None:
                stages.append(stage)
            else:
                dropped.add(item.stage)
        if len(self.context.faults) > before:
            return None
        limits = Limits(spec.limits.body, spec.limits.timeout, spec.limits.concurrency, spec.limits.rate)
        span = self.context.span(at, key=True)
        cache = Cache(spec.cache.ttl, spec.cache.memory) if spec.cache is not None else None
        if cache is not None and not _keeps(stages):
            what = f"`serving.{path}` has a `cache`, and no `fetch` of the user comes before its `retrieve`"
            self.context.report("E2063", what, (*at, "cache"), expected="a pipeline that fetches, then retrieves")
            return None
        return Endpoint(
            path, asked.source, asked.columns, tuple(stages), limits, asked.defaults, cache, spec.describe, span
        )

    def _request(self, path: str, spec: str | Mapping[str, ParameterSpec]) -> Request | None:
        at: Loc = ("serving", path, "request")
        if not isinstance(spec, str):
            return lower_parameters(spec, at, self.context)
        source = self.sources.get(spec)
        if source is not None:
            return Request(request_columns(source, self.label), source.name, source.event_time)
        if spec not in self.declared["sources"]:
            what = f"`serving.{path}.request` refers to source `{spec}`, which is not declared"
            self.context.unknown("E2004", what, at, spec, self.declared["sources"])
        return None

    def _stage(
        self,
        item: Any,
        at: Loc,
        request: tuple[Value, ...],
        before: tuple[Stage, ...],
        faulty: frozenset[str],
        moment: Value | None,
    ) -> Stage | None:
        scope = StageScope(
            self.context,
            at,
            self._names(request, before),
            request,
            self.entities,
            self.groups,
            self.models,
            self.declared,
            before,
            faulty,
            moment,
            self.retrievers,
            self.sources,
        )
        draft = self.kinds[item.stage].lower(item, scope)
        if draft is None:
            return None
        name = item.name or item.stage
        taken = {stage.name for stage in before}
        unique = (
            name if name not in taken else next(one for number in count(2) if (one := f"{name}_{number}") not in taken)
        )
        return Stage(
            item.stage,
            unique,
            draft.reads,
            draft.writes,
            draft.settings,
            item.budget,
            item.on_error,
            self.context.span(at),
        )

    def _names(self, request: tuple[Value, ...], before: tuple[Stage, ...]) -> NameScope:
        """Every name that some stage could give; whether one has given it is checked on the flow.

        What a stage before has given is of the type that it gives: null too, where its failure leaves it out.
        """
        whole = set(self.models) | set(self.retrievers)
        faulty = (self.declared["features"] - set(self.groups)) | (self.declared["models"] - whole)
        scope = NameScope(faulty=faulty)
        for group in self.groups.values():
            for feature in group.features:
                scope.add(group.name, feature.name, feature.type)
        for model in self.models.values():
            for output in model.outputs:
                scope.add(None, output.name, output.type)
        for value in (value for stage in before for value in stage.writes):
            if (value.group, value.name) in scope.types or value.rows is not None:
                scope.add(value.group, value.name, value.type)
        for value in request:
            scope.add(None, value.name, value.type)
        return scope


def _keeps(stages: list[Stage]) -> bool:
    """Say whether a list can be kept: what is fetched of the user before it is made tells whether it is still good."""
    kinds = [stage.kind for stage in stages]
    return "retrieve" in kinds and "fetch" in kinds[: kinds.index("retrieve")]
