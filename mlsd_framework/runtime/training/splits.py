"""Dividing the rows of a training set into train, validate and test; the first step of every training script."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlsd_framework.diagnostics.errors import RunError

if TYPE_CHECKING:
    import polars as pl

IntArray = NDArray[np.int64]
NAMES = ("train", "validate", "test")
_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Parts:
    """Row numbers of each part, ascending; a row is in one part at most."""

    train: IntArray
    validate: IntArray
    test: IntArray

    def __iter__(self) -> Iterator[tuple[str, IntArray]]:
        """Yield each part's name and rows."""
        yield from (("train", self.train), ("validate", self.validate), ("test", self.test))

    def column(self, rows: int) -> list[str | None]:
        """Return the part's name of each of `rows` rows, None where a row is in no part."""
        names: list[str | None] = [None] * rows
        for name, part in self:
            for row in part.tolist():
                names[row] = name
        return names


def by_name(part: "pl.Series") -> Parts:
    """Return the rows of each part from a column with its name; rows of another or of none are in no part."""
    rows = [(part == name).fill_null(value=False).arg_true().to_numpy().astype(np.int64) for name in NAMES]
    return Parts(*rows)


def by_time(time: ArrayLike, *, train: float, validate: float, test: float, gap: timedelta = timedelta(0)) -> Parts:
    """Split in order of time so that no part sees a later one.

    `time` is int64 microseconds UTC. The fractions count rows. Rows of one moment stay in one part. The last `gap`
    before each boundary is dropped, so that a label known `gap` later cannot reach over it.
    """
    _check_fractions(train, validate, test)
    moments = np.asarray(time, np.int64)
    if not len(moments):
        return checked(_parts([moments] * 3))
    ordered = np.sort(moments)
    last = len(ordered) - 1
    first_validate = ordered[min(round(train * len(ordered)), last)]
    first_test = ordered[min(round((train + validate) * len(ordered)), last)]
    width = _micros(gap)
    masks = [
        moments < first_validate - width,
        (moments >= first_validate) & (moments < first_test - width),
        moments >= first_test,
    ]
    return checked(_parts([np.flatnonzero(mask) for mask in masks]), may_be_empty=_zero(validate))


def by_dates(
    time: ArrayLike,
    *,
    start: date,
    train_days: int,
    gap_days: int,
    test_days: int,
    validate_days: int = 0,
    exclude_known_positives: ArrayLike | None = None,
    label: ArrayLike | None = None,
) -> Parts:
    """Split by whole days (UTC) from `start`: train, gap, (validate, gap,) test.

    This is the protocol of the Fraud Detection Handbook: `gap_days` is the delay after which a label is known. With
    `exclude_known_positives` (an entity of each row) the rows of an entity are left out of a validation or test day
    once one of its positives since `start` is older than the gap: such a card is blocked already, and finding it again
    is no merit.
    """
    moments = np.asarray(time, np.int64)
    first = int(datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp()) * 1_000_000
    day = (moments - first) // _DAY
    validate_from = train_days + gap_days
    test_from = validate_from + (validate_days + gap_days if validate_days else 0)
    spans = ((0, train_days), (validate_from, validate_days), (test_from, test_days))
    masks = [(day >= begin) & (day < begin + length) for begin, length in spans]
    if exclude_known_positives is not None:
        fresh = ~_known(day, np.asarray(exclude_known_positives), np.asarray(label), gap_days)
        masks[1:] = [mask & fresh for mask in masks[1:]]
    return checked(_parts([np.flatnonzero(mask) for mask in masks]), may_be_empty=_zero(validate_days))


def by_group(group: ArrayLike, *, train: float, validate: float, test: float, seed: int = 0) -> Parts:
    """Split so that no group (a card, a customer) is in two parts; the fractions count groups."""
    _check_fractions(train, validate, test)
    groups, member = np.unique(np.asarray(group), return_inverse=True)
    chosen = np.empty(len(groups), np.int64)
    for part, rows in enumerate(_deal(len(groups), (train, validate, test), np.random.default_rng(seed))):
        chosen[rows] = part
    part_of_row = chosen[member]
    return checked(_parts([np.flatnonzero(part_of_row == part) for part in range(3)]), may_be_empty=_zero(validate))


def stratified(label: ArrayLike, *, train: float, validate: float, test: float, seed: int = 0) -> Parts:
    """Split at random so that each class has the same proportions in every part, to one row."""
    _check_fractions(train, validate, test)
    classes, member = np.unique(np.asarray(label), return_inverse=True)
    random = np.random.default_rng(seed)
    rows: list[list[IntArray]] = [[], [], []]
    for number in range(len(classes)):
        of_class = np.flatnonzero(member == number)
        for part, dealt in enumerate(_deal(len(of_class), (train, validate, test), random)):
            rows[part].append(of_class[dealt])
    return checked(_parts([np.concatenate([np.zeros(0, np.int64), *r]) for r in rows]), may_be_empty=_zero(validate))


def checked(parts: Parts, *, label: ArrayLike | None = None, may_be_empty: frozenset[str] = frozenset()) -> Parts:
    """Return `parts` as they are, or raise E6300 for an empty part and E6301 for one without positives or negatives."""
    for name, rows in parts:
        if name in may_be_empty and not len(rows):
            continue
        if not len(rows):
            raise RunError.of(
                "E6300",
                f"the split leaves part `{name}` empty",
                expected="at least one row in each part",
                help="widen the part, shorten the gap, or check the dates against the data",
            )
        if label is not None:
            _check_classes(name, np.asarray(label)[rows])
    return parts


def _check_classes(name: str, label: NDArray[np.generic]) -> None:
    positives = int(np.count_nonzero(label))
    if positives in (0, len(label)):
        missing = "positives" if positives == 0 else "negatives"
        raise RunError.of(
            "E6301",
            f"part `{name}` has {len(label):,} rows and no {missing}",
            expected="rows of both classes in each part",
            help="split at other dates, take larger parts, or use `by: stratified`",
        )


def _check_fractions(train: float, validate: float, test: float) -> None:
    tolerance = 1e-9
    if min(train, validate, test) < 0 or abs(train + validate + test - 1) > tolerance:
        raise RunError.of(
            "E6302",
            f"the split's fractions are {train:g}, {validate:g} and {test:g}",
            expected="three fractions from 0 to 1 that sum to 1",
        )


def _known(day: IntArray, entity: NDArray[np.generic], label: NDArray[np.generic], gap_days: int) -> NDArray[np.bool_]:
    """Return whether each row's entity has a positive since day 0 that is known on the row's day."""
    _, member = np.unique(entity, return_inverse=True)
    never = np.iinfo(np.int64).max
    first_positive = np.full(int(member.max(initial=-1)) + 1, never)
    positive = (np.asarray(label) != 0) & (day >= 0)
    np.minimum.at(first_positive, member[positive], day[positive])
    known: NDArray[np.bool_] = first_positive[member] < day - gap_days
    return known


def _deal(count: int, fractions: tuple[float, float, float], random: np.random.Generator) -> list[IntArray]:
    """Shuffle `count` numbers and cut them at the fractions."""
    cuts = np.round(np.cumsum(fractions)[:2] * count).astype(np.int64)
    return np.split(random.permutation(count).astype(np.int64), cuts)


def _parts(rows: Sequence[IntArray]) -> Parts:
    return Parts(*(np.sort(r.astype(np.int64)) for r in rows))


def _zero(validate: float) -> frozenset[str]:
    return frozenset({"validate"}) if validate == 0 else frozenset()


def _micros(gap: timedelta) -> int:
    return gap // timedelta(microseconds=1)
