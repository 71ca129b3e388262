"""The YAML of `freshen`."""

from typing import Literal

from pydantic import Field

from mlsd_framework.spec.base import Name
from mlsd_framework.spec.quantities import Duration, Fraction
from mlsd_framework.spec.serving import StageSpec


class FreshenSpec(StageSpec):
    """Multiply scores by `floor + (1 - floor) * 0.5 ^ (age / half_life)`, and order by them.

    A ranker's score is a logarithm: what it is the logarithm of is multiplied. A candidate whose age is not known has
    `floor` left.
    """

    stage: Literal["freshen"]
    age_of: str = Field(description="The feature of a candidate that says when it came to be, a `timestamp`.")
    half_life: Duration = Field(description="After what time half is left of what age can take.")
    floor: Fraction = Field(0.5, description="The share of a score that age cannot take.")
    score: Name | None = Field(None, description="The score that is changed; the last one, where left out.")
