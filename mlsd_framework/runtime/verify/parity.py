"""One definition, one meaning: every stored feature through all homes that its group has, value by value."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mlsd_framework.runtime.features.derived import DerivedGroup
from mlsd_framework.runtime.features.dtypes import Value
from mlsd_framework.runtime.verify.homes import definition, offline, store
from mlsd_framework.runtime.verify.homes.offline import Answers
from mlsd_framework.runtime.verify.sampling import CASE, Sample
from mlsd_framework.runtime.verify.subject import Stored
from mlsd_framework.runtime.verify.values import same

Home = Callable[[Sample], Answers]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 4  # of each feature and home: one reads the first ones


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that two homes do not agree on: which feature of which entity, when, and what each says."""

    feature: str
    entity: Mapping[str, object]
    moment: str
    case: str
    values: Mapping[str, Value]


@dataclass(slots=True)
class GroupParity:
    """What came of a group: its homes with the seconds that each took, what was compared, what differs.

    `against` says how many values of each home differ from the first home's.
    """

    group: str
    homes: dict[str, float] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    questions: int = 0
    values: int = 0
    differing: int = 0
    against: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether all homes say the same."""
        return not self.differing


def homes_of(stored: Stored, url: str) -> dict[str, Home]:
    """Return the homes of a group, the training set's first; the others are held against it."""
    found: dict[str, Home] = {"offline": offline.offline}
    if not isinstance(stored.group, DerivedGroup):  # what a plugin's function computes has no other definition
        found["definition"] = definition.definition
    if stored.live is not None:
        from mlsd_framework.runtime.verify.homes import live_store, stream  # noqa: PLC0415 - only live groups pay

        return {**found, "stream": stream.stream, "request": lambda sample: live_store.requested(sample, url)}
    return {**found, "request": lambda sample: store.materialised(sample, url)}


def compared(sample: Sample, homes: Mapping[str, Home]) -> tuple[GroupParity, Answers]:
    """Ask every home every question, and hold what they say against the first; return that home's answers too."""
    result = GroupParity(sample.stored.name, questions=sample.questions.height)
    answers: dict[str, Answers] = {}
    for name, home in homes.items():
        begun = time.perf_counter()
        answers[name] = home(sample)
        result.homes[name] = round(time.perf_counter() - begun, 3)
    first, *others = homes
    for other in others:
        shown = Counter[str]()
        for difference in _differences(sample, first, answers[first], other, answers[other], result):
            shown[difference.feature] += 1
            if shown[difference.feature] <= _SHOWN:
                result.differences.append(difference)
        if shown:
            result.against[other] = shown.total()
    return result, answers[first]


def _differences(
    sample: Sample, first: str, ours: Answers, other: str, theirs: Answers, result: GroupParity
) -> Iterator[Difference]:
    features, entity = sample.stored.features, sample.stored.group.entity
    cases = sample.questions.get_column(CASE).to_list()
    keys, moments = sample.keys, sample.moments
    for at, (one, two) in enumerate(zip(ours, theirs, strict=True)):
        if one is None or two is None:
            continue
        result.values += len(features)
        for feature, a, b in zip(features, one, two, strict=True):
            if same(a, b):
                continue
            result.differing += 1
            yield Difference(
                f"{sample.stored.name}.{feature}",
                dict(zip(entity, keys[at], strict=True)),
                said(moments[at]),
                cases[at],
                {first: a, other: b},
            )


def said(moment: int) -> str:
    """Return a moment in microseconds as people and programs read it."""
    try:
        return (_EPOCH + timedelta(microseconds=moment)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return f"{moment} us"
