"""`models`: what every kind of model has; the kinds add what is theirs."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from mlsd_framework.spec.base import Name, SpecModel
from mlsd_framework.spec.quantities import Duration, Fraction, OneOrMore


class TimeSplitSpec(SpecModel):
    """Train on the past, test on what follows: by shares of the rows, or by lengths of time from `start`."""

    by: Literal["time"]
    train: Fraction | Duration = Field(0.7, description="The first part, as a share or a length of time.")
    validate_: Fraction | Duration = Field(
        0.15, alias="validate", description="The part for early stopping, calibration and thresholds."
    )
    test: Fraction | Duration = Field(0.15, description="The last part; seen by nothing but the metrics.")
    gap: Duration | None = Field(None, description="Time left out between the parts, so that labels have matured.")
    start: AwareDatetime | None = Field(
        None, strict=False, description="Where the first part begins, with lengths of time."
    )
    exclude_known: Name | None = Field(
        None, description="An entity: those with a positive known before a test day are left out of that day."
    )


class GroupSplitSpec(SpecModel):
    """No group stands in two parts."""

    by: Literal["group"]
    group: Name = Field(description="The column whose values are kept together.")
    train: Fraction = Field(0.7, description="Share of the groups.")
    validate_: Fraction = Field(0.15, alias="validate", description="Share of the groups.")
    test: Fraction = Field(0.15, description="Share of the groups.")
    seed: int = Field(0, description="Another seed, another draw.")


class StratifiedSplitSpec(SpecModel):
    """Rows drawn at random, the label's proportions kept in every part."""

    by: Literal["stratified"]
    train: Fraction = Field(0.7, description="Share of the rows.")
    validate_: Fraction = Field(0.15, alias="validate", description="Share of the rows.")
    test: Fraction = Field(0.15, description="Share of the rows.")
    seed: int = Field(0, description="Another seed, another draw.")


SplitSpec = Annotated[TimeSplitSpec | GroupSplitSpec | StratifiedSplitSpec, Field(discriminator="by")]


class ImbalanceSpec(SpecModel):
    """How a rare class is weighed; sampling touches the training part only."""

    class_weights: Literal["balanced", "sqrt_balanced"] | dict[Literal["0", "1"], float] | None = Field(
        None, description="Weights by class."
    )
    sampling: Literal["under", "over", "smote"] | None = Field(None, description="Resampling of the training part.")
    ratio: Fraction = Field(0.1, description="Positives per negative after sampling.")


class TuningSpec(SpecModel):
    """A search over hyperparameters with Optuna; it can be stopped and resumed."""

    trials: int = Field(30, ge=1, le=10_000, description="Trials in all.")
    metric: str = Field("average_precision", description="The metric on the validation part that is improved.")
    timeout: Duration | None = Field(None, description="The longest the search may take.")
    seed: int = Field(0, description="Seed of the sampler.")


class ModelSpec(SpecModel):
    """What every kind of model has."""

    kind: str
    features: Annotated[list[str], OneOrMore, Field(min_length=1)] = Field(
        description="Its inputs: `group.feature`, `group.*` or a column of the request."
    )
    label: Name | None = Field(None, description="The label that it learns; none for an unsupervised kind.")
    split: SplitSpec = Field(default_factory=lambda: TimeSplitSpec(by="time"), description="How examples are divided.")
    seed: int = Field(0, description="Seed of everything random in its training.")
    gates: list[str] = Field(
        default_factory=list,
        description="Comparisons of metrics, such as `ndcg >= 0.2`, `recall_at_k >= 0.5 at retrieve`, "
        "`ndcg >= 0.05 for cold_start`; a model that fails one is not deployed.",
    )
    describe: str | None = Field(None, description="What the model is for; it stands in the model card.")
