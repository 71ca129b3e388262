"""What stages over candidates name: conditions, a feature that each candidate has, the score that orders them."""

from collections.abc import Callable
from dataclasses import dataclass

from mlsd_framework.ir.expressions import Column, Expression, columns
from mlsd_framework.ir.retrieval import CANDIDATES
from mlsd_framework.ir.serving import Value
from mlsd_framework.ir.types import BOOL, INTEGERS, DataType
from mlsd_framework.kinds.stages.score.kind import ScoreSettings
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.spec.base import ExpressionText


@dataclass(frozen=True, slots=True)
class Score:
    """A score of candidates; a `logarithmic` one is a logarithm, of odds or of a weight, and not a probability."""

    value: Value
    logarithmic: bool


def condition(text: ExpressionText, stage: str, scope: StageScope, *at: str | int) -> Expression | None:
    """Lower a condition on features of a candidate and values of the request; report one that is not `bool`."""
    found = scope.expression(text, stage, *at)
    if found is None:
        return None
    if found.type.name != BOOL.name:
        what = f"a condition of `{stage}` is of type `{found.type}`"
        scope.context.report("E2053", what, (*scope.at, stage, *at), expected="`bool`")
        return None
    listed = next((one for one in columns(found) if one.type.name == "list" and one.qualifier is not None), None)
    if listed is not None:
        what = f"a condition of `{stage}` looks in `{listed.path}`, and candidates have no lists"
        scope.context.report("E2063", what, (*scope.at, stage, *at), expected="a list that is a value of the request")
        return None
    return found


def group(text: str, stage: str, scope: StageScope) -> Value | None:
    """Return the feature that `by` names, whose values make groups; report one that is not text or whole numbers."""
    return _feature(text, "by", stage, scope, _groups, "a feature of text or whole numbers")


def number(text: str, key: str, stage: str, scope: StageScope) -> Value | None:
    """Return the feature of candidates that `key` names; report one that is no number."""
    return _feature(text, key, stage, scope, lambda type_: type_.numeric, "a feature that is a number")


def moment(text: str, key: str, stage: str, scope: StageScope) -> Value | None:
    """Return the feature of candidates that `key` names; report one that is no moment."""
    return _feature(text, key, stage, scope, lambda type_: type_.name == "timestamp", "a feature that is a `timestamp`")


def score(named: str | None, stage: str, scope: StageScope) -> Score | None:
    """Return the score that a stage reads, the last one before it unless it names one; report where there is none."""
    scores = [
        (value, output.role == "score")
        for one in scope.before
        if isinstance(one.settings, ScoreSettings) and one.settings.model.ranks
        for value, output in zip(one.writes, one.settings.model.outputs, strict=True)
    ]
    found = [one for one in scores if named in (None, one[0].name)]
    if found:
        value, logarithmic = found[-1]
        span = scope.context.span((*scope.at, stage, "score"))
        return Score(Value(value.group, value.name, value.type, span, CANDIDATES), logarithmic)
    if named is not None:
        what = f"`{stage}` reads the score `{named}`, which no stage before it gives"
        scope.context.unknown("E2063", what, (*scope.at, stage, "score"), named, [value.name for value, _ in scores])
    elif "score" not in scope.faulty:  # a faulty one has been reported already
        what = f"`{stage}` works on scores, and no stage before it gives any"
        scope.context.report("E2063", what, (*scope.at, stage), expected="`- score: …` before it")
    return None


def _groups(type_: DataType) -> bool:
    return type_.text or type_.name in INTEGERS


def _feature(
    text: str, key: str, stage: str, scope: StageScope, fits: Callable[[DataType], bool], expected: str
) -> Value | None:
    """Return a feature of candidates by name; report whatever is none, and one of another type."""
    found = scope.expression(text, stage, key)
    if found is None:
        return None
    what = None
    if not isinstance(found, Column) or found.qualifier is None:
        what = f"`{stage}` takes the feature of a candidate as `{key}`, and `{text}` is none"
    elif found.path in {value.dotted for one in scope.before for value in one.writes if value.rows is None}:
        what = f"`{stage}` takes `{found.path}` as `{key}`, which all candidates of a request share"
    elif not fits(found.stored):
        what = f"`{stage}` takes `{found.path}` as `{key}`, which is of type `{found.stored}`"
    if what is not None or not isinstance(found, Column):
        scope.context.report("E2063", str(what), (*scope.at, stage, key), expected=expected)
        return None
    return Value(found.qualifier, found.name, found.stored, found.span, CANDIDATES)
