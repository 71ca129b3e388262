"""`features`: groups of features of an entity, or of the request."""

from typing import Annotated, Literal

from pydantic import Field

from mlsd_framework.spec.base import ExpressionText, Name, SpecModel
from mlsd_framework.spec.quantities import Duration, OneOrMore


class FeatureGroupSpec(SpecModel):
    """A group of features: windowed aggregates, columns of a table, or values computed at the request."""

    entity: Annotated[list[Name], OneOrMore] | None = Field(None, description="The entity that the values are about.")
    source: Name | None = Field(None, alias="from", description="The source that they come from.")
    at: Literal["request"] | None = Field(None, description="`request`: computed from the request when it comes.")
    columns: list[str] = Field(
        default_factory=list, description="Columns of the source taken as they are; `V*` takes all that begin so."
    )
    windows: list[Duration | Literal["lifetime"]] = Field(
        default_factory=list, description="Lengths of the windows before the event, `[t - w, t)`."
    )
    resolution: Duration | Literal["exact"] = Field(
        "exact",
        description="`exact` keeps every event of a window; a length such as `5m` keeps one summary for each, and a "
        "window begins up to so much earlier.",
    )
    aggregate: dict[Name, str] = Field(
        default_factory=dict, description="What is computed over each window, such as `sum(amount)`."
    )
    compute: dict[Name, ExpressionText] = Field(
        default_factory=dict, description="Scalar expressions over the request and fetched features."
    )
    refresh: Duration | None = Field(
        None, description="How often a batch computes the values; without it they are exact to the event."
    )
    delay: Duration | None = Field(
        None, description="How long an event waits before it counts; labels need their maturity."
    )
    describe: dict[Name, str] = Field(
        default_factory=dict, description="What a feature is called in reasons and reports."
    )
