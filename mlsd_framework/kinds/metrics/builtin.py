"""The built-in metrics: the YAML of each, what it needs, and which way is better."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, create_model

from mlsd_framework.ir.metrics import Parameter
from mlsd_framework.spec.base import Name
from mlsd_framework.spec.metrics import MetricSpec
from mlsd_framework.spec.quantities import Fraction


@dataclass(frozen=True, slots=True)
class BuiltinMetric:
    """One metric; its parameters are the fields that its YAML adds."""

    name: str
    spec: type[MetricSpec]
    needs: frozenset[str]
    higher_is_better: bool

    def parameters(self, spec: Any) -> tuple[tuple[str, Parameter], ...]:
        """Return the values of the fields that the kind adds."""
        own = [name for name in self.spec.model_fields if name not in MetricSpec.model_fields]
        return tuple((name, getattr(spec, name)) for name in own)


class RecallAtPrecisionSpec(MetricSpec):
    """The most positives found while at least `precision` of those flagged are positive."""

    short: ClassVar[str | None] = "precision"
    metric: Literal["recall_at_precision"]
    precision: Fraction = Field(0.9, description="The least precision.")


class CardPrecisionSpec(MetricSpec):
    """Of the `k` entities with the highest scores of a day, the share with a positive; averaged over days."""

    metric: Literal["card_precision"]
    entity: Name = Field(description="The entity that is ranked.")
    k: Annotated[int, Field(ge=1, description="Entities that can be looked at in a day.")] = 100


class CalibrationErrorSpec(MetricSpec):
    """The mean distance between predicted and seen frequencies over bins of equal size."""

    metric: Literal["calibration_error"]
    bins: Annotated[int, Field(ge=2, le=1000, description="Bins.")] = 15


class AtDepthSpec(MetricSpec):
    """A metric of the first `k` candidates of a request, averaged over requests with any relevant item."""

    short: ClassVar[str | None] = "k"
    k: Annotated[int, Field(ge=1, le=1_000_000, description="How many candidates count.")] = 10


def _of_lists(name: str, meaning: str) -> BuiltinMetric:
    fields: dict[str, Any] = {"metric": (Literal[name], ...)}
    title = f"{''.join(part.title() for part in name.split('_'))}Spec"
    spec = create_model(title, __base__=AtDepthSpec, __doc__=meaning, **fields)
    return BuiltinMetric(name, spec, frozenset({"candidates"}), higher_is_better=True)


def _plain(name: str, meaning: str) -> type[MetricSpec]:
    fields: dict[str, Any] = {"metric": (Literal[name], ...)}
    title = f"{name.title().replace('_', '')}Spec"
    return create_model(title, __base__=MetricSpec, __doc__=meaning, **fields)


def _metric(name: str, meaning: str, *needs: str, higher: bool = True) -> BuiltinMetric:
    return BuiltinMetric(name, _plain(name, meaning), frozenset(needs), higher)


METRICS = (
    _metric("average_precision", "The area under the precision-recall curve, as a sum of steps.", "score", "label"),
    _metric("roc_auc", "The share of pairs of a positive and a negative that are ordered rightly.", "score", "label"),
    _metric("log_loss", "The mean negative log-likelihood of the labels.", "probability", "label", higher=False),
    _metric("brier", "The mean squared distance between probability and label.", "probability", "label", higher=False),
    _metric(
        "precision",
        "Of those given any action but the mildest (a review counts), the share that is positive.",
        "decision",
        "label",
    ),
    _metric(
        "recall", "Of the positives, the share given any action but the mildest (a review counts).", "decision", "label"
    ),
    _metric("f1", "The harmonic mean of precision and recall of any action but the mildest.", "decision", "label"),
    _metric("confusion_matrix", "Counts by label and decision.", "decision", "label"),
    _metric("cost", "What the errors cost, in money a row.", "decision", "label", "cost", higher=False),
    BuiltinMetric("recall_at_precision", RecallAtPrecisionSpec, frozenset({"score", "label"}), higher_is_better=True),
    BuiltinMetric("card_precision", CardPrecisionSpec, frozenset({"score", "label", "entity"}), higher_is_better=True),
    BuiltinMetric(
        "calibration_error", CalibrationErrorSpec, frozenset({"probability", "label"}), higher_is_better=False
    ),
    _of_lists("ndcg", "The discounted gain of the first `k` over that of the best possible order."),
    _of_lists("recall_at_k", "The share of a request's relevant items that stand among the first `k`."),
    _of_lists("precision_at_k", "The share of the first `k` that is relevant."),
    _of_lists("hit_rate", "The share of requests with a relevant item among the first `k`."),
    _of_lists("mrr", "The mean of 1 / the rank of the first relevant item, 0 where it is not among the first `k`."),
    _of_lists("map", "The mean over relevant items of the precision at their ranks among the first `k`."),
    _metric("mae", "The mean absolute error.", "value", "label", higher=False),
    _metric("rmse", "The root of the mean squared error.", "value", "label", higher=False),
)
