"""A split, a slice and a metric name columns and entities that the training set has."""

from collections.abc import Iterator, Sequence

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.ir.metrics import Slice
from mlsd_framework.ir.models import GroupSplit, Model, StratifiedSplit, TimeSplit
from mlsd_framework.ir.sources import Source
from mlsd_framework.ir.system import System

_EDGES = 2  # of a bin


def split_columns(system: System) -> Iterator[Diagnostic]:
    """Find groups, slices and entities of metrics that are no columns of the examples.

    `slices: {contry: by value}` → E2110 with the nearest column.
    """
    examples = system.examples
    if examples is None:
        return
    for model in system.models:
        yield from _split(model, [column.name for column in examples.columns])
    for one in system.metrics.slices:
        yield from _slice(one, examples)
    entities = [entity.name for entity in system.entities]
    for metric in system.metrics.offline:
        name = dict(metric.parameters).get("entity")
        if isinstance(name, str) and name not in entities:
            what = f"the entity of the metric `{metric.name}` is `{name}`, which is not declared"
            yield _unknown(what, name, entities, metric.span)


def _split(model: Model, known: Sequence[str]) -> Iterator[Diagnostic]:
    split = model.split
    names = split.exclude_known if isinstance(split, TimeSplit) else ()
    names += (split.group,) if isinstance(split, GroupSplit) else ()
    for name in names:
        if name not in known:
            what = f"the split of `models.{model.name}` needs the column `{name}`, which the examples do not have"
            yield _unknown(what, name, known, split.span or model.span)
    if isinstance(split, StratifiedSplit) and model.label is None:
        what = f"`models.{model.name}` is split by its label and has none"
        yield Diagnostic(code="E2110", what=what, span=split.span or model.span, expected="`by: time` or `by: group`")


def _slice(one: Slice, examples: Source) -> Iterator[Diagnostic]:
    column = examples.column(one.column)
    if column is None:
        names = [found.name for found in examples.columns]
        yield _unknown(f"the slice `{one.column}` is no column of the examples", one.column, names, one.span)
    elif one.bins is not None and not column.type.numeric:
        what = f"the slice `{one.column}` has bins, and its type is `{column.type}`"
        yield Diagnostic(code="E2110", what=what, span=one.span, expected="`by value`")
    elif one.bins is not None and (len(one.bins) < _EDGES or list(one.bins) != sorted(set(one.bins))):
        what = f"the bins of the slice `{one.column}` do not rise"
        yield Diagnostic(code="E2110", what=what, span=one.span, expected="two numbers or more, rising")


def _unknown(what: str, name: str, known: Sequence[str], span: Span | None) -> Diagnostic:
    near = nearest(name, known)
    expected = f"one of: {', '.join(sorted(known))}" if known else None
    help_ = f"did you mean `{near}`?" if near else None
    return Diagnostic(code="E2110", what=what, span=span, expected=expected, help=help_)
