"""`serving`: endpoints, each a pipeline of stages; the kinds of stage add what is theirs."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mlsd_framework.spec.base import Name, SpecModel
from mlsd_framework.spec.quantities import Count, Duration, Rate, Size

OnError = Literal["fail", "default", "skip", "fallback"]


class StageSpec(SpecModel):
    """What every kind of stage has."""

    stage: str
    name: Name | None = Field(
        None, alias="as", description="What the stage and its result are called, where the kind's own name will not do."
    )
    budget: Duration | None = Field(None, description="The longest the stage may take.")
    on_error: OnError = Field(
        "fail", description="What happens when it fails: an error, its default, leaving it out, or the fallback."
    )


class LimitsSpec(SpecModel):
    """What the service takes from strangers."""

    body: Size = Field(64 * 1024, description="The largest request body.")
    timeout: Duration = Field(timedelta(seconds=1), description="The longest a request may take.")
    concurrency: Count = Field(64, description="Requests in the service at once; more are shed with 503.")
    rate: Rate | None = Field(None, description="Requests a second that one worker takes; more get 429.")


class ParameterSpec(SpecModel):
    """One value of a request: `user_id: string` is short for `user_id: {type: string}`."""

    short: ClassVar[str | None] = "type"

    type: str = Field(
        description="A type such as `string`, `int64`, `float64?`, `timestamp`, `list<category>`; `?` allows null."
    )
    unit: str | None = Field(None, description="The unit of its numbers, such as `EUR`, `s`, `km`.")
    min: float | None = Field(None, description="The smallest value.")
    max: float | None = Field(None, description="The largest value.")
    values: list[str] | None = Field(None, description="All values that a category, or an element of a list, can have.")
    default: bool | int | float | str | list[str | int] | None = Field(
        None, description="What a request has that leaves it out; `[]` for an empty list."
    )
    describe: str | None = Field(None, description="What it is called in reasons and reports.")


class CacheSpec(SpecModel):
    """Lists are answered again while nothing that they were made from has changed: `cache: 60s`."""

    short: ClassVar[str | None] = "ttl"

    ttl: Duration = Field(description="The longest a list is answered again.")
    memory: Size = Field(64 * 1024 * 1024, description="What the lists of one worker may take.")


class EndpointBase(SpecModel):
    """One endpoint without its pipeline, whose items depend on the kinds at hand."""

    request: Name | Annotated[dict[Name, ParameterSpec], Field(min_length=1)] = Field(
        description="The source whose rows are the requests, or the values of a request by name."
    )
    limits: LimitsSpec = Field(default_factory=LimitsSpec, description="What the endpoint takes from strangers.")
    cache: CacheSpec | None = Field(
        None, description="Whether lists are kept; the user's own events, and another version, make them anew."
    )
    describe: str | None = Field(None, description="What the endpoint answers; it stands in the OpenAPI page.")
