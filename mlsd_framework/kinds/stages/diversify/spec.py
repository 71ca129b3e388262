"""The YAML of `diversify`."""

from typing import Literal

from pydantic import Field

from mlsd_framework.spec.base import Name
from mlsd_framework.spec.quantities import Fraction
from mlsd_framework.spec.serving import StageSpec


class DiversifySpec(StageSpec):
    """Choose the first candidates one by one, each as relevant and as unlike those before as can be (MMR).

    The choice is by `lambda * score - (1 - lambda) * likeness`: the largest cosine with what was chosen, and the score
    brought to 0 for the last candidate of the request and 1 for the best, whatever its scale.
    """

    stage: Literal["diversify"]
    on: Name = Field(description="The model whose vectors of items tell how alike two are, such as one of `kind: als`.")
    balance: Fraction = Field(
        0.8, alias="lambda", description="The weight of the score: 1 orders by it alone, 0 by unlikeness alone."
    )
    top: int = Field(ge=1, le=1000, description="How many candidates are chosen: as many as are seen.")
    score: Name | None = Field(None, description="The score that says how relevant each is; the last, where left out.")
