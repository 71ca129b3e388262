"""`label`: what is predicted, and when it is known."""

from datetime import timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mlsd_framework.spec.base import EndpointPath, Name, SpecModel
from mlsd_framework.spec.quantities import Duration, Fraction


class HoldOutSpec(SpecModel):
    """Which events are held out of what is known, to be found again: `hold_out: 25%` is short for `{share: 25%}`.

    The events are drawn as the stratified splits of the Recommenders project (`python_stratified_split`) draw them:
    `numpy.random.RandomState(seed)` gives each event a number, in the order of the source's `row_number`, or of time
    where it has none. Of each user, or item, the events with the smallest numbers are known, as many as the share
    leaves, rounded half to even; the others are the test, and nothing that is fitted or learned for it sees them.

    The rest is dealt out to folds, which are held out in turn: the sources of candidates are fitted without the fold,
    histories and window features lack it, and the label is whether a candidate is in it. The last fold is for
    validation.
    """

    short: ClassVar[str] = "share"

    share: Fraction = Field(0.25, gt=0, lt=1, description="The share of the events that is held out for the test.")
    by: Literal["user", "item"] = Field("user", description="Of whose events each it is that share.")
    folds: int = Field(
        5, ge=2, le=50, description="In how many parts the rest is held out in turn; the last is the validation."
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Another seed, another draw.")


class ShownSpec(SpecModel):
    """What users were shown, as the examples of training and validation: `shown: views` is short for `{from: views}`.

    A row of the source is an item that a user was shown. The rows of one user with the same `request`, or without such
    a column at the same time, are one request, and its candidates are these items: with the score and the rank that
    each source of candidates gives them there and then, and with features as of that time.

    Whether an item was chosen is said by the column `outcome`, or without one by an event of the label's source: one of
    the user with the item `within` a time after the request.
    """

    short: ClassVar[str] = "from"

    source: Name = Field(alias="from", description="The source of the impressions, a row an item shown.")
    outcome: Name | None = Field(
        None, description="The column that says whether the item was chosen: `bool`, or integers that are 0 or 1."
    )
    within: Duration | None = Field(
        None,
        description="How long after a request an event chooses an item, without `outcome`; as the label, left out.",
    )
    request: Name | None = Field(None, description="The column that rows of one request share; their time, left out.")


class LabelSpec(SpecModel):
    """The label of the examples.

    `from` is the source that holds it; `of` is the source whose rows are the examples, joined by
    `join`. Where both are one source, `of` and `join` are left out.

    Where `of` is an endpoint, such as `/recommend`, the examples are the candidates that it retrieves. It does so
    either at moments of the past, and the label is whether `from` has an event of the user with it `within` a time
    after; or with events of `from` held out, and the label is whether the candidate is among them. With `shown`, the
    moments are the same, and training and validation learn from what users were shown within `within` after each: the
    label is whether it was chosen. The test is over what is retrieved all the same.
    """

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        if isinstance(value, list):
            expected = "`{name: …, from: …}`"
            raise PydanticCustomError("mapping", "is a list, and a system has one label", {"expected": expected})
        return value

    name: Name = Field(description="What models and metrics call it.")
    source: Name = Field(alias="from", description="The source that holds it.")
    column: Name | None = Field(None, description="The column that holds it; its name, where left out.")
    of: Name | EndpointPath | None = Field(
        None, description="The source whose rows are the examples, or the endpoint whose candidates are."
    )
    join: Name | None = Field(None, description="The column that both sources share.")
    matures_after: Duration = Field(timedelta(0), description="How long after the example its label is known.")
    user: Name = Field("user", description="The entity whose events with candidates count, where `of` is an endpoint.")
    item: Name = Field("item", description="The entity of the candidates, where `of` is an endpoint.")
    within: Duration | None = Field(None, description="How long after the request an event with a candidate counts.")
    every: Duration | None = Field(
        None,
        description="How far apart the moments of requests are. Left out: `within`, and with `shown` the time that an "
        "outcome takes on top.",
    )
    moments: int | None = Field(
        None, ge=3, le=1000, description="How many moments: the last is the test, the one before it the validation."
    )
    hold_out: HoldOutSpec | None = Field(
        None, description="Events that are to be found again, drawn at random; instead of `within` and `moments`."
    )
    shown: ShownSpec | None = Field(
        None, description="What users were shown, from which to learn in place of what is retrieved."
    )
    negatives: int | None = Field(
        None, ge=1, description="Candidates without the outcome that a request of training keeps; all, where left out."
    )
    newcomers: Fraction | None = Field(
        None,
        gt=0,
        le=1,
        description="The share of the requests of training that is asked once more as if their users were new: without "
        "a history, so that a ranker learns to serve them too. With `metrics.onboarding` they are asked twice, saying "
        "nothing and saying what they like.",
    )
