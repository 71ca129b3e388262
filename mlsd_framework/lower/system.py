"""From a loaded spec to the ir of the whole system."""

from dataclasses import replace

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.system import System
from mlsd_framework.lower.context import Context
from mlsd_framework.lower.entities import lower_entities
from mlsd_framework.lower.environments import lower_environment
from mlsd_framework.lower.features import FeatureLowering
from mlsd_framework.lower.impressions import ImpressionsLowering
from mlsd_framework.lower.indexes import lower_indexes
from mlsd_framework.lower.kinds import Kinds
from mlsd_framework.lower.label import lower_label
from mlsd_framework.lower.metrics import lower_metrics
from mlsd_framework.lower.models import ModelInputs
from mlsd_framework.lower.onboarding import lower_onboarding
from mlsd_framework.lower.override import lower_override
from mlsd_framework.lower.requirements import lower_requirements
from mlsd_framework.lower.retrieval import RetrievalLowering, candidates_of
from mlsd_framework.lower.serving import ServingLowering
from mlsd_framework.lower.sources import lower_sources
from mlsd_framework.spec.loading import Loaded
from mlsd_framework.spec.retrievers import RetrieverSpec


def lower_system(loaded: Loaded, kinds: Kinds) -> tuple[System, list[Diagnostic]]:
    """Return the system and every fault of names and types.

    With faults the system lacks the faulty entries, so that passes can still find faults in the rest.
    """
    spec, context = loaded.spec, Context(loaded.layers)
    declared = {
        "sources": frozenset(spec.sources),
        "features": frozenset(spec.features),
        "models": frozenset(spec.models),
        "entities": frozenset(spec.entities),
    }
    sources = lower_sources(spec.sources, kinds.sources, context)
    entities = lower_entities(spec.entities, sources, declared["sources"], context)
    of_candidates = spec.label is not None and (spec.label.of or "").startswith("/")
    label = lower_label(spec.label, sources, declared["sources"], context) if not of_candidates else None
    features = FeatureLowering(sources, declared["sources"], entities, label, kinds.aggregates, context, kinds.features)
    groups = features.lower(spec.features)
    retrieval = RetrievalLowering(sources, declared["sources"], entities, groups, declared["features"], context)
    outcome = retrieval.outcome(spec.label, spec.serving) if spec.label is not None and of_candidates else None
    found = {name: one for name, one in spec.models.items() if isinstance(one, RetrieverSpec)}
    fitted = {name: one for name, one in spec.models.items() if name not in found}
    retrievers = retrieval.retrievers(found, kinds.retrievers)
    inputs = ModelInputs(
        groups, declared["features"], sources, entities, label, spec.label is not None, kinds.metrics, context,
        outcome, candidates_of(spec.label, spec.serving) if of_candidates and spec.label is not None else (),
    )  # fmt: skip
    models = inputs.lower(fitted, kinds.models)
    metrics = lower_metrics(spec.metrics, kinds.metrics, context)
    if spec.metrics.off_policy is not None:
        lowering = ImpressionsLowering(sources, declared["sources"], context)
        policy = lowering.off_policy(spec.metrics.off_policy, outcome, of_candidates=of_candidates)
        metrics = replace(metrics, off_policy=policy)
    serving = ServingLowering(
        sources, entities, groups, models, retrievers, declared, label, kinds.stages, context
    ).lower(spec.serving)
    if spec.metrics.onboarding is not None:
        key = entities[outcome.interactions.entity].key if outcome is not None else ()
        told = lower_onboarding(spec.metrics.onboarding, outcome, serving, groups, key, context)
        metrics = replace(metrics, onboarding=told)
    system = System(
        name=spec.system,
        description=spec.description,
        path=loaded.layers.document.path,
        requirements=lower_requirements(spec.requirements, context),
        sources=tuple(sources.values()),
        entities=tuple(entities.values()),
        features=tuple(groups.values()),
        label=label,
        models=tuple(models.values()),
        serving=serving,
        metrics=metrics,
        environment=lower_environment(spec.environments, loaded.environment, context),
        override=lower_override(spec.override, context),
        retrievers=tuple(retrievers.values()),
        indexes=lower_indexes(spec.indexes, retrievers, declared["models"], context),
        outcome=outcome,
    )
    return system, context.collected()
