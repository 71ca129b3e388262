"""The YAML of a group of `kind: graph`."""

from typing import Annotated, Literal

from mlsd_framework.spec.base import Name
from mlsd_framework.spec.derived import DerivedGroupSpec
from mlsd_framework.spec.quantities import Duration, OneOrMore
from pydantic import Field

Measure = Literal[
    "degree", "shared_neighbours", "component_size", "community", "community_size", "pagerank", "hub_values"
]


class GraphSpec(DerivedGroupSpec):
    """A graph of entities: two are neighbours where they have a value of an attribute in common, such as a device."""

    kind: Literal["graph"]
    by: Annotated[list[Name], OneOrMore, Field(min_length=1)] = Field(
        description="The columns whose values link entities."
    )
    measures: Annotated[list[Measure], OneOrMore, Field(min_length=1)] = Field(
        description="What is measured at each entity; each measure is a feature."
    )
    window: Duration | Literal["lifetime"] = Field(
        "lifetime", description="How long an event links entities, `[m - w, m)` for the snapshot at m."
    )
    hub_above: int = Field(
        100,
        ge=2,
        le=10_000,
        description="A value that more entities than this have links none of them, and is counted.",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the search for communities.")
