"""The YAML of a linear ranker."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mlsd_framework.spec.base import Name
from mlsd_framework.spec.models import ModelSpec
from mlsd_framework.spec.quantities import OneOrMore


class LinearRankerSpec(ModelSpec):
    """Weights of numbers that order the candidates of a request, by a softmax over these (ListNet, 2007).

    It blends what sources say of candidates in a moment's time, best with `standardise` at the stage that retrieves.
    """

    kind: Literal["linear.ranker"]
    label: Name = Field(description="The label that it learns.")
    l2: Annotated[list[float], OneOrMore] = Field(
        default_factory=lambda: [5.0, 50.0],
        min_length=1,
        description="Regularisation of the weights; of several the best by NDCG of the validation part.",
    )
    by: Annotated[list[str], OneOrMore] = Field(
        default_factory=list,
        description="Features, among `features`, by whose size the weights of all others change, such as how long a "
        "history is.",
    )
    top: int = Field(10, ge=1, le=10_000, description="NDCG of how many candidates the validation watches.")

    @model_validator(mode="after")
    def _of_features(self) -> Self:
        for one in self.by:
            if one not in self.features and f"{one.split('.', maxsplit=1)[0]}.*" not in self.features:
                raise PydanticCustomError("features", "names `{one}`, which is not among `features`", {"one": one})
        if min(self.l2) <= 0:
            raise PydanticCustomError("number", "has an `l2` that is not above 0", {})
        return self
