"""Features: windowed aggregates, table columns, and values computed at the request."""

from dataclasses import dataclass
from datetime import timedelta

from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.expressions import Expression, columns
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.ir.types import DataType

Default = str | int | float | bool | tuple[()] | None


@dataclass(frozen=True, slots=True)
class Feature:
    """One value of a group: its type, what it is called in words, and where it was declared."""

    name: str
    type: DataType
    describe: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A function over a window of events; `value` is what is aggregated, none for `count()`.

    `n` is how many values a list keeps, `half_life` after what time an event counts half, `exact` up to how many
    different values are counted exactly.
    """

    name: str
    function: str
    value: Expression | None
    where: Expression | None
    n: int | None = None
    half_life: timedelta | None = None
    exact: int | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class WindowGroup:
    """Aggregates of an entity's events over windows `[t - delay - w, t - delay)`.

    `windows` holds lengths, none for the whole past. With `refresh`, `t` is rounded down to it; with `resolution` the
    beginning of a window is. A `live` group is kept up to date from its source's stream, event by event. `features` are
    in the order aggregate by aggregate, window by window.
    """

    name: str
    entity: str
    key: tuple[str, ...]
    source: str
    windows: tuple[timedelta | None, ...]
    aggregates: tuple[Aggregate, ...]
    refresh: timedelta | None
    delay: timedelta
    features: tuple[Feature, ...]
    resolution: timedelta | None = None
    live: bool = False
    span: Span | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the sources that it reads."""
        return (self.source,)


def read_groups(group: WindowGroup) -> tuple[str, ...]:
    """Return the groups whose features the aggregates of a group read, in the order in which they are read."""
    read = [expression for one in group.aggregates for expression in (one.value, one.where) if expression is not None]
    found = (node.qualifier for expression in read for node in columns(expression))
    return tuple(dict.fromkeys(name for name in found if name is not None))


@dataclass(frozen=True, slots=True)
class TableGroup:
    """Columns of a table, by the entity's key, as of the moment where the table has times."""

    name: str
    entity: str
    key: tuple[str, ...]
    source: str
    columns: tuple[str, ...]
    features: tuple[Feature, ...]
    span: Span | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the sources that it reads."""
        return (self.source,)


@dataclass(frozen=True, slots=True)
class Reading:
    """The columns that a derived group reads of a source; `distinct` where it does not matter how often a row comes."""

    source: str
    columns: tuple[str, ...]
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class DerivedGroup:
    """What a function of a plugin makes of the events before each snapshot: `module:name`, called with `settings`.

    Snapshots are at multiples of `refresh`; the one at m sees events in `[m - delay - window, m - delay)`, all before
    `m - delay` where `window` is none. `defaults` has, for each feature, the value of a key that a snapshot lacks.
    """

    name: str
    kind: str
    entity: str
    key: tuple[str, ...]
    readings: tuple[Reading, ...]
    function: str
    settings: tuple[tuple[str, SettingValue], ...]
    window: timedelta | None
    refresh: timedelta
    delay: timedelta
    features: tuple[Feature, ...]
    defaults: tuple[Default, ...]
    span: Span | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the sources that it reads."""
        return tuple(reading.source for reading in self.readings)


@dataclass(frozen=True, slots=True)
class Computed:
    """A feature that an expression gives."""

    name: str
    expression: Expression
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class RequestGroup:
    """Columns of the request and expressions over it and over fetched features, in order of need."""

    name: str
    source: str
    columns: tuple[str, ...]
    computed: tuple[Computed, ...]
    features: tuple[Feature, ...]
    span: Span | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the sources that it reads."""
        return (self.source,)


StoredGroup = WindowGroup | TableGroup | DerivedGroup
FeatureGroup = StoredGroup | RequestGroup


@dataclass(frozen=True, slots=True)
class FeatureRef:
    """A feature as a model or an expression names it; `group` is none for a bare request column."""

    group: str | None
    name: str
    type: DataType
    describe: str
    span: Span | None = None

    @property
    def dotted(self) -> str:
        """Return `group.name`, or the name of a request column: its column in the training set."""
        return f"{self.group}.{self.name}" if self.group else self.name


def window_label(window: timedelta | None) -> str:
    """Return a window's part of a feature's name: `7d`, `30m`, `lifetime`; a day is `1d`."""
    if window is None:
        return "lifetime"
    seconds = window.total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{round(seconds * 1000)}ms"
