"""Lower `metrics.onboarding`: what newcomers say, and of which column of the items it is."""

from collections.abc import Mapping

from mlsd_framework.ir.features import FeatureGroup, FeatureRef, TableGroup
from mlsd_framework.ir.metrics import Onboarding
from mlsd_framework.ir.retrieval import Outcome
from mlsd_framework.ir.serving import Endpoint
from mlsd_framework.ir.types import DataType
from mlsd_framework.lower.context import Context
from mlsd_framework.spec.metrics import OnboardingSpec

_AT = ("metrics", "onboarding")


def lower_onboarding(
    spec: OnboardingSpec,
    outcome: Outcome | None,
    serving: tuple[Endpoint, ...],
    groups: Mapping[str, FeatureGroup],
    key: tuple[str, ...],
    context: Context,
) -> Onboarding | None:
    """Return it, or none at a fault; `key` is that of the items that the label's endpoint retrieves."""
    if outcome is None:
        what = "`metrics.onboarding` measures newcomers, and the label is of no endpoint that retrieves"
        context.report("E2069", what, _AT, key=True, expected="`label: {of: /recommend, …}`")
        return None
    endpoint = next((one for one in serving if one.path == outcome.endpoint), None)
    if endpoint is None:
        return None  # it has faults, which are reported there
    values = {value.name: value.type for value in endpoint.request}
    lists = [name for name, type_ in values.items() if type_.name == "list" and name in dict(endpoint.defaults)]
    known = {
        f"{name}.{one.name}": one
        for name, group in groups.items()
        if isinstance(group, TableGroup) and group.key == key
        for one in group.features
    }
    if spec.value not in lists:
        what = f"`metrics.onboarding.value` is `{spec.value}`, no list with a default that `{endpoint.path}` takes"
        context.unknown("E2069", what, (*_AT, "value"), spec.value, lists)
        return None
    if spec.source not in known:
        what = f"`metrics.onboarding.from` is `{spec.source}`, which is no column of a table of the items"
        context.unknown("E2069", what, (*_AT, "from"), spec.source, known)
        return None
    found, item = known[spec.source].type, values[spec.value].item
    if item is None or not _alike(found, item):
        what = f"`metrics.onboarding` takes `{spec.source}` of type `{found}` for a list of type `{values[spec.value]}`"
        context.report("E2069", what, (*_AT, "from"), expected=f"a column of type `{item}`")
        return None
    group, _, name = spec.source.partition(".")
    ref = FeatureRef(group, name, found, known[spec.source].describe, context.span((*_AT, "from")))
    return Onboarding(spec.value, ref, spec.most, spec.sample, context.span(_AT, key=True))


def _alike(one: DataType, other: DataType) -> bool:
    return one.widened().not_null() == other.widened().not_null()
