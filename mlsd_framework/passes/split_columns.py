"""A split and a slice name columns that the training set has."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.ir.models import GroupSplit, StratifiedSplit, TimeSplit
from mlsd_framework.ir.system import System


def split_columns(system: System) -> Iterator[Diagnostic]:
    """Find groups, slices and entities of metrics that are no columns of the examples.

    `slices: {contry: by value}` → E2110 with the nearest column.
    """
    examples = system.examples
    if examples is None:
        return
    known = [column.name for column in examples.columns]
    for model in system.models:
        split = model.split
        if isinstance(split, GroupSplit) and split.group not in known:
            yield _unknown(f"`models.{model.name}.split.group`", split.group, known, model.span)
        if isinstance(split, TimeSplit):
            for column in split.exclude_known:
                if column not in known:
                    yield _unknown(f"`exclude_known` of `models.{model.name}`", column, known, model.span)
        if isinstance(split, StratifiedSplit) and model.label is None:
            what = f"`models.{model.name}` is split by its label and has none"
            yield Diagnostic(code="E2110", what=what, span=model.span, expected="`by: time` or `by: group`")
    for one in system.metrics.slices:
        column = examples.column(one.column)
        if column is None:
            yield _unknown("a slice", one.column, known, one.span)
        elif one.bins is not None and not column.type.numeric:
            what = f"the slice `{one.column}` has bins, and its type is `{column.type}`"
            yield Diagnostic(code="E2110", what=what, span=one.span, expected="`by value`")
        elif one.bins is not None and (len(one.bins) < 2 or list(one.bins) != sorted(set(one.bins))):  # noqa: PLR2004 - a bin has two edges
            yield Diagnostic(
                code="E2110",
                what=f"the bins of the slice `{one.column}` do not rise",
                span=one.span,
                expected="two numbers or more, rising",
            )
    entities = {entity.name: entity for entity in system.entities}
    for metric in system.metrics.offline:
        name = dict(metric.parameters).get("entity")
        if isinstance(name, str) and name not in entities:
            yield _unknown(f"the entity of the metric `{metric.name}`", name, list(entities), metric.span)


def _unknown(who: str, name: str, known: list[str], span: Span | None) -> Diagnostic:
    near = nearest(name, known)
    expected = f"one of: {', '.join(sorted(known))}" if known else None
    return Diagnostic(
        code="E2110",
        what=f"{who} is `{name}`, which is not declared",
        span=span,
        expected=expected,
        help=f"did you mean `{near}`?" if near else None,
    )
