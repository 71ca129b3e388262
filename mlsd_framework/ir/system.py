"""What a whole spec means."""

from dataclasses import dataclass

from mlsd_framework.ir.entities import Entity
from mlsd_framework.ir.environments import Environment
from mlsd_framework.ir.features import DerivedGroup, FeatureGroup, RequestGroup, StoredGroup, TableGroup, WindowGroup
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.metrics import Metrics
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.override import ProofOverride
from mlsd_framework.ir.requirements import Requirements
from mlsd_framework.ir.retrieval import Index, Interactions, Outcome, Retriever
from mlsd_framework.ir.serving import Endpoint
from mlsd_framework.ir.sources import Source


@dataclass(frozen=True, slots=True)
class System:
    """A system: sections in the order of the spec, entries in the order of the file."""

    name: str
    description: str
    path: str
    requirements: Requirements
    sources: tuple[Source, ...]
    entities: tuple[Entity, ...]
    features: tuple[FeatureGroup, ...]
    label: Label | None
    models: tuple[Model, ...]
    serving: tuple[Endpoint, ...]
    metrics: Metrics
    environment: Environment
    override: ProofOverride | None = None
    retrievers: tuple[Retriever, ...] = ()
    indexes: tuple[Index, ...] = ()
    outcome: Outcome | None = None

    def source(self, name: str) -> Source:
        """Return a source that is known to exist."""
        return next(source for source in self.sources if source.name == name)

    def group(self, name: str) -> FeatureGroup:
        """Return a feature group that is known to exist."""
        return next(group for group in self.features if group.name == name)

    def model(self, name: str) -> Model:
        """Return a model that is known to exist."""
        return next(model for model in self.models if model.name == name)

    def retriever(self, name: str) -> Retriever:
        """Return a retriever that is known to exist."""
        return next(one for one in self.retrievers if one.name == name)

    @property
    def trained(self) -> tuple[Retriever | Model, ...]:
        """Return everything under `models`: what finds candidates, then the others."""
        return (*self.retrievers, *self.models)

    def entity(self, name: str) -> Entity:
        """Return an entity that is known to exist."""
        return next(entity for entity in self.entities if entity.name == name)

    @property
    def logs(self) -> tuple[Interactions, ...]:
        """Return who met which item, as retrievers and the outcome of candidates read it, each once."""
        found = [one.interactions for one in self.retrievers]
        return tuple(dict.fromkeys([*found, *([self.outcome.interactions] if self.outcome else [])]))

    @property
    def catalogues(self) -> tuple[Entity, ...]:
        """Return the entities whose items can be retrieved."""
        return tuple(self.entity(name) for name in dict.fromkeys(one.entity for one in self.logs))

    @property
    def windows(self) -> tuple[WindowGroup, ...]:
        """Return the groups that are computed over windows."""
        return tuple(group for group in self.features if isinstance(group, WindowGroup))

    @property
    def live(self) -> tuple[WindowGroup, ...]:
        """Return the groups that are kept up to date from a stream."""
        return tuple(group for group in self.windows if group.live)

    @property
    def tables(self) -> tuple[TableGroup, ...]:
        """Return the groups that are columns of a table."""
        return tuple(group for group in self.features if isinstance(group, TableGroup))

    @property
    def derived(self) -> tuple[DerivedGroup, ...]:
        """Return the groups that functions of plugins compute, snapshot by snapshot."""
        return tuple(group for group in self.features if isinstance(group, DerivedGroup))

    @property
    def relational(self) -> tuple[WindowGroup | TableGroup, ...]:
        """Return the stored groups that are computed key by key: windows, then tables."""
        return (*self.windows, *self.tables)

    @property
    def stored(self) -> tuple[StoredGroup, ...]:
        """Return the groups that the online store keeps: windows, then tables, then what functions compute."""
        return (*self.windows, *self.tables, *self.derived)

    @property
    def computed(self) -> tuple[RequestGroup, ...]:
        """Return the groups that are computed at the request."""
        return tuple(group for group in self.features if isinstance(group, RequestGroup))

    @property
    def examples(self) -> Source | None:
        """Return the source whose rows are the training examples."""
        return self.source(self.label.of) if self.label else None
