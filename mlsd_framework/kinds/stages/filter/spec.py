"""The YAML of `filter`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mlsd_framework.spec.base import ExpressionText
from mlsd_framework.spec.quantities import Duration, OneOrMore
from mlsd_framework.spec.serving import StageSpec


class FilterSpec(StageSpec):
    """Keep the candidates for which every condition is true; null is not true."""

    short: ClassVar[str | None] = "keep"

    stage: Literal["filter"]
    keep: Annotated[list[ExpressionText], OneOrMore] = Field(
        default_factory=list, description="Conditions on features of a candidate and values of the request."
    )
    met_within: Duration | None = Field(
        None, description="Leaves out items that the history has younger than this, such as those just bought."
    )
