"""What conditions of retrievals read of items: columns of tables that every version keeps beside its catalogue."""

from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.system import System


def table_file(entity: str) -> str:
    """Return where a version keeps what conditions read of an entity's items."""
    return f"catalogues/{entity}.table.safetensors"


def condition_columns(system: System, entity: str) -> tuple[FeatureRef, ...]:
    """Return the columns that conditions read of an entity's items, each once, in the order of the spec.

    What newcomers say that they like is among them.
    """
    refs = {
        ref.dotted: ref
        for endpoint in system.serving
        for stage in endpoint.pipeline
        if getattr(stage.settings, "entity", None) == entity
        for condition in getattr(stage.settings, "conditions", ())
        for ref in condition.columns
    }
    onboarding = system.metrics.onboarding
    if onboarding is not None and system.outcome is not None and system.outcome.interactions.entity == entity:
        refs.setdefault(onboarding.column.dotted, onboarding.column)
    return tuple(refs.values())
