"""The YAML of `retrieve`."""

from typing import ClassVar, Literal

from pydantic import Field

from mlsd_framework.spec.base import ExpressionText, Name, SpecModel
from mlsd_framework.spec.quantities import Duration
from mlsd_framework.spec.serving import StageSpec


class HistorySpec(SpecModel):
    """What the user dealt with before: two lists of one group, or one item that the request names."""

    items: str | None = Field(None, description="The feature with the last items, by `last_n`, as `group.feature`.")
    times: str | None = Field(None, description="The feature with their times, by `last_n`, as `group.feature`.")
    item: Name | None = Field(None, description="The value of the request that names the one item, in place of lists.")


class AskSpec(SpecModel):
    """What one source is asked for: `again: 500` is short for `again: {n: 500}`."""

    short: ClassVar[str | None] = "n"

    n: int = Field(ge=1, le=100_000, description="How many items it is asked for, and its quota among the candidates.")
    model: Name | None = Field(None, description="The model that finds them; called as the source is, where left out.")
    where: ExpressionText | None = Field(
        None,
        description="For which items it is asked: a condition on columns of tables of the items and on values of the "
        "request; null is not true.",
    )
    new: bool = Field(
        default=False, description="Whether items of the history are left out; always so where it is one item."
    )
    budget: Duration | None = Field(None, description="The longest it may take; it is left out when it is late.")


class RetrieveSpec(StageSpec):
    """Ask sources of candidates by the user's history, and merge what they find, each in its turn."""

    stage: Literal["retrieve"]
    history: HistorySpec = Field(description="What the user dealt with before.")
    where: ExpressionText | None = Field(
        None, description="For which items all sources are asked; both hold, where a source has a `where` of its own."
    )
    sources: dict[Name, AskSpec] = Field(min_length=1, description="Who is asked, and for how many.")
    n: int = Field(500, ge=1, le=100_000, description="How many candidates are kept.")
    standardise: bool = Field(
        default=False,
        description="Whether each source also says `candidates.<source>_z`: by how many standard deviations its score "
        "is above the mean of the request's candidates.",
    )
