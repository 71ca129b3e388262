"""`features` with a `kind`: groups that a plugin computes; the kinds add what is theirs."""

from typing import Annotated

from pydantic import Field

from mlsd_framework.spec.base import Name, SpecModel
from mlsd_framework.spec.quantities import Duration, OneOrMore


class DerivedGroupSpec(SpecModel):
    """A group that a plugin computes from the events before each snapshot; a question reads the last snapshot."""

    kind: str
    entity: Annotated[list[Name], OneOrMore, Field(min_length=1)] = Field(
        description="The entity that the values are about."
    )
    sources: Annotated[list[Name], OneOrMore, Field(min_length=1)] = Field(
        alias="from", description="The sources of events that they come from."
    )
    refresh: Duration = Field(description="How often a snapshot is made, such as `1d`.")
    delay: Duration | None = Field(
        None, description="How long an event waits before it counts; labels need their maturity."
    )
    describe: dict[Name, str] = Field(
        default_factory=dict, description="What a feature is called in reasons and reports."
    )
