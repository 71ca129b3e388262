"""`sources`: where data comes from, and what each column holds."""

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, Field, model_validator

from mlsd_framework.spec.base import Name, SpecModel
from mlsd_framework.spec.quantities import Duration, Fraction, OneOrMore

OnFault = Literal["error", "drop", "warn", "ignore"]


class ColumnSpec(SpecModel):
    """One column: `amount: float64` is short for `amount: {type: float64}`."""

    short: ClassVar[str | None] = "type"

    type: str = Field(
        description="A type such as `string`, `category`, `bool`, `int64`, `float64?`, `timestamp`; `?` allows null."
    )
    unit: str | None = Field(None, description="The unit of its numbers, such as `EUR`, `s`, `km`.")
    min: float | None = Field(None, description="The smallest value.")
    max: float | None = Field(None, description="The largest value.")
    values: list[str] | None = Field(None, description="All values that a category can have.")
    column: str | None = Field(None, description="The column's name in the file, where it is another.")
    format: Literal["iso", "seconds", "milliseconds", "microseconds"] | None = Field(
        None, description="How a timestamp is written."
    )
    origin: AwareDatetime | None = Field(
        None, strict=False, description="The moment that a number of seconds counts from."
    )
    describe: str | None = Field(None, description="What it is called in reasons and reports.")
    known_after: Duration | None = Field(None, description="How long after the event the value becomes known.")


class ChecksSpec(SpecModel):
    """What happens to rows that break the schema; every fault is counted and shown."""

    types: OnFault = Field("error", description="A value that is not of its column's type.")
    nulls: OnFault = Field("error", description="Null where the type does not allow it.")
    ranges: OnFault = Field("error", description="A number outside `min` and `max`.")
    categories: OnFault = Field("error", description="A category outside `values`.")
    duplicates: OnFault = Field("error", description="A key that comes twice.")
    order: OnFault = Field("ignore", description="An event that is earlier than the one before it.")
    tolerate: Fraction = Field(0.01, description="Share of faulty rows above which `drop` and `warn` become errors.")


class StreamSpec(SpecModel):
    """The stream on which new events of a source come: `stream: payments` is short for `stream: {name: payments}`."""

    short: ClassVar[str | None] = "name"

    name: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,62}$", description="The stream's key in Valkey, or the topic in Kafka."
    )
    partitions: int = Field(
        1, ge=1, le=256, description="How many streams it is spread over, `NAME.0` and so on; a Kafka topic knows."
    )
    retention: Duration | None = Field(
        None,
        description="How long events that are in the states stay in the stream: what is gone has to be in the log"
        " before states are made anew. For ever where it is left out; a Kafka topic has its own.",
    )


class SourceSpec(SpecModel):
    """What every kind of source has."""

    kind: str
    key: Annotated[list[Name], OneOrMore] = Field(description="The columns that tell one row from another.")
    columns: dict[Name, ColumnSpec] = Field(alias="schema", description="Its columns, in order.")
    event_time: Name | None = Field(None, description="The column that says when a row happened.")
    ingest_time: Name | None = Field(None, description="The column that says when a row was written.")
    stream: StreamSpec | None = Field(None, description="The stream on which its new events come.")
    allowed_lateness: Duration | None = Field(
        None, description="How long after it happened an event may be written and still count; needs `ingest_time`."
    )
    allowed_ahead: Duration = Field(
        timedelta(hours=1),
        description="How far ahead of its writing, or of the clock, a live event's time may be; beyond it is rejected.",
    )
    checks: ChecksSpec = Field(default_factory=ChecksSpec, description="What happens to rows that break the schema.")
    describe: str | None = Field(None, description="What one row is.")

    @model_validator(mode="before")
    @classmethod
    def _columns_in_mapping(cls, value: Any) -> Any:
        """Leave `schema` to be checked column by column; an empty one is a missing one."""
        if isinstance(value, dict) and value.get("schema", 0) is None:
            return {key: item for key, item in value.items() if key != "schema"}
        return value
