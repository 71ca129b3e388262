"""The whole file: `SystemSpec`, assembled from the sections and the kinds at hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, Protocol

from pydantic import BeforeValidator, Discriminator, Field, Tag, create_model
from pydantic_core import PydanticCustomError, PydanticKnownError

from mlsd_framework.spec.base import EndpointPath, Name, SpecModel, SystemName
from mlsd_framework.spec.derived import DerivedGroupSpec
from mlsd_framework.spec.entities import EntitySpec
from mlsd_framework.spec.environments import EnvironmentSpec
from mlsd_framework.spec.features import FeatureGroupSpec
from mlsd_framework.spec.indexes import IndexSpec
from mlsd_framework.spec.label import LabelSpec
from mlsd_framework.spec.metrics import MetricsBase, MetricSpec
from mlsd_framework.spec.models import ModelSpec
from mlsd_framework.spec.override import OverrideSpec
from mlsd_framework.spec.requirements import RequirementsSpec
from mlsd_framework.spec.retrievers import RetrieverSpec
from mlsd_framework.spec.serving import EndpointBase, StageSpec
from mlsd_framework.spec.sources import SourceSpec

SECTIONS = (
    "requirements", "sources", "entities", "features", "label", "models", "indexes", "serving", "metrics", "override",
    "environments",
)  # fmt: skip


@dataclass(frozen=True)
class SpecKinds:
    """The models of every kind that a spec may name: `kind` (or the item's key) -> model."""

    sources: dict[str, type[SourceSpec]] = field(default_factory=dict)
    models: dict[str, type[ModelSpec]] = field(default_factory=dict)
    retrievers: dict[str, type[RetrieverSpec]] = field(default_factory=dict)
    stages: dict[str, type[StageSpec]] = field(default_factory=dict)
    metrics: dict[str, type[MetricSpec]] = field(default_factory=dict)
    features: dict[str, type[DerivedGroupSpec]] = field(default_factory=dict)


class EndpointSpec(Protocol):
    """An endpoint with its pipeline, as `system_model` builds it."""

    request: str
    pipeline: Sequence[StageSpec]


class SystemSpec(SpecModel):
    """One system: every section of the language."""

    mlsd: Literal[1] = Field(description="The version of the language.")
    system: SystemName = Field(description="The system's name.")
    description: str = Field("", description="What the system is for, in a sentence.")
    requirements: RequirementsSpec = Field(
        default_factory=RequirementsSpec, description="What the system owes its users."
    )
    sources: dict[Name, Any] = Field(description="Where data comes from.")
    entities: dict[Name, EntitySpec] = Field(default_factory=dict, description="What features are about.")
    features: dict[Name, FeatureGroupSpec | DerivedGroupSpec] = Field(
        default_factory=dict, description="Groups of features."
    )
    label: LabelSpec | None = Field(None, description="What is predicted, and when it is known.")
    models: dict[Name, Any] = Field(default_factory=dict, description="Named models.")
    indexes: dict[Name, IndexSpec] = Field(default_factory=dict, description="Vectors that can be searched.")
    serving: dict[str, Any] = Field(default_factory=dict, description="Endpoints, each a pipeline of stages.")
    metrics: Any = Field(default=None, description="What is measured.")
    override: OverrideSpec = Field(
        default_factory=OverrideSpec, description="What is deployed though it does not hold, until when and why."
    )
    environments: dict[Name, EnvironmentSpec] = Field(
        default_factory=lambda: {"local": EnvironmentSpec()}, description="Where the system runs."
    )


def system_model(kinds: SpecKinds) -> type[SystemSpec]:
    """Build the model of a whole spec from the models of the kinds."""
    stages = _list_of(_item(kinds.stages, "stage"))
    endpoint = create_model(
        "EndpointSpec",
        __base__=EndpointBase,
        __doc__=EndpointBase.__doc__,
        **_fields(pipeline=(stages, Field(min_length=1, description="Its stages, in order."))),
    )
    offline = _list_of(_item(kinds.metrics, "metric"))
    metrics = create_model(
        "MetricsSpec",
        __base__=MetricsBase,
        __doc__="What is measured.",
        **_fields(offline=(offline, Field(default_factory=list, description="Metrics on the test part."))),
    )
    sources, models = _union(kinds.sources, "kind"), _union({**kinds.models, **kinds.retrievers}, "kind")
    fields = _fields(
        sources=(_mapping_of(Name, sources), Field(min_length=1, description="Where data comes from.")),
        models=(_mapping_of(Name, models), Field(default_factory=dict, description="Named models.")),
        serving=(
            _mapping_of(EndpointPath, endpoint),
            Field(default_factory=dict, description="Endpoints, each a pipeline of stages."),
        ),
        metrics=(metrics, Field(default_factory=metrics, description="What is measured.")),
        features=(
            _mapping_of(Name, _groups(kinds.features)),
            Field(default_factory=dict, description="Groups of features."),
        ),
    )
    return create_model("SystemSpec", __base__=SystemSpec, __doc__=SystemSpec.__doc__, **fields)


def _fields(**fields: tuple[Any, Any]) -> dict[str, Any]:
    return fields


def _list_of(item: Any) -> Any:
    return list.__class_getitem__(item)


def _mapping_of(key: Any, value: Any) -> Any:
    return dict.__class_getitem__((key, value))


def _union(kinds: dict[str, Any], key: str) -> Any:
    """Choose a model by the value of `key`."""

    def tag(value: Any) -> Any:
        return value.get(key) if isinstance(value, dict) else getattr(value, key, None)

    return Annotated[_tagged(kinds), Discriminator(tag)] if kinds else Any


def _groups(kinds: dict[str, Any]) -> Any:
    """Take a group without a `kind` as the language's own, and one with a `kind` as what a plugin makes of it."""

    def known(value: Any) -> Any:
        if not isinstance(value, dict) or "kind" not in value:
            return value
        kind = value["kind"]
        if not isinstance(kind, str) or kind not in kinds:
            tags = ", ".join(f"'{name}'" for name in sorted(kinds))
            tag = "null" if kind is None else str(kind)
            told = {"discriminator": "'kind'", "tag": tag, "expected_tags": tags}
            raise PydanticKnownError("union_tag_invalid", told)
        return value

    if not kinds:
        return Annotated[FeatureGroupSpec, BeforeValidator(known)]
    own = "FeatureGroupSpec"  # no kind has the name of a class of ours with capitals

    def tag(value: Any) -> Any:
        return value.get("kind", own) if isinstance(value, dict) else getattr(value, "kind", own)

    return Annotated[_tagged({own: FeatureGroupSpec, **kinds}), Discriminator(tag), BeforeValidator(known)]


def _item(kinds: dict[str, Any], key: str) -> Any:
    """Choose a model by the only key of a list's item: `- fetch: [card]`, or `- roc_auc`."""

    def unfold(value: Any) -> Any:
        if isinstance(value, str):
            value = {value: None}
        if not isinstance(value, dict):
            return value
        if len(value) != 1:
            known = [name for name in value if name in kinds]
            expected = f"one {key}, its settings below its name: `- {(known or sorted(kinds))[0]}: {{…}}`"
            raise PydanticCustomError("one-key", "holds {count} keys", {"count": len(value), "expected": expected})
        name, settings = next(iter(value.items()))
        model = kinds.get(name)
        if model is None or settings is None:
            return {key: name}
        short = model.short
        if not isinstance(settings, dict):
            if short is None:
                raise PydanticCustomError("mapping", "is not a mapping", {"expected": f"`{name}: {{…}}`"})
            settings = {short: settings}
        return {key: name, **settings}

    def tag(value: Any) -> Any:
        return value.get(key) if isinstance(value, dict) else getattr(value, key, None)

    return Annotated[_tagged(kinds), Discriminator(tag), BeforeValidator(unfold)] if kinds else Any


def _tagged(kinds: dict[str, Any]) -> Any:
    return reduce(or_, [Annotated[model, Tag(name)] for name, model in sorted(kinds.items())])
