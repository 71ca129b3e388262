"""The YAML of `fetch`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mlsd_framework.spec.base import Name
from mlsd_framework.spec.quantities import OneOrMore
from mlsd_framework.spec.serving import StageSpec


class FetchSpec(StageSpec):
    """Read feature groups from the online store, all in one round trip."""

    short: ClassVar[str | None] = "groups"

    stage: Literal["fetch"]
    groups: Annotated[list[Name], OneOrMore, Field(min_length=1)] = Field(description="The groups to read.")
