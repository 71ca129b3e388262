"""Lower `label`: its source, the examples it belongs to, its type."""

from collections.abc import Mapping

from mlsd_framework.ir.label import Label
from mlsd_framework.ir.sources import Source
from mlsd_framework.lower.context import Context
from mlsd_framework.spec.label import LabelSpec


def lower_label(
    spec: LabelSpec | None, sources: Mapping[str, Source], declared: frozenset[str], context: Context
) -> Label | None:
    """Return the label, or none where there is none or it has faults."""
    if spec is None:
        return None
    before = len(context.faults)
    if spec.shown is not None:
        what = "the label has `shown`, and its examples are the rows of a source"
        context.report("E2033", what, ("label", "shown"), expected="`of:` with an endpoint that retrieves candidates")
    if spec.newcomers is not None:
        what = "the label has `newcomers`, and its examples are the rows of a source: nobody is asked again"
        context.report(
            "E2033", what, ("label", "newcomers"), expected="`of:` with an endpoint that retrieves candidates"
        )
    holder = _source(spec.source, "from", sources, declared, context)
    examples = _source(spec.of, "of", sources, declared, context) if spec.of else holder
    name = spec.column or spec.name
    if holder is None or examples is None:
        return None
    column = holder.column(name)
    if column is None:
        key = "column" if spec.column else "name"
        what = f"the label is the column `{name}`, which `sources.{holder.name}` does not have"
        context.unknown("E2003", what, ("label", key), name, [one.name for one in holder.columns])
    if examples is not holder:
        _join(spec, holder, examples, context)
    if examples.event_time is None:
        context.report(
            "E2033",
            f"the examples, `sources.{examples.name}`, have no `event_time`",
            ("label",),
            key=True,
            expected="a source of events",
        )
    if column is None or len(context.faults) > before:
        return None
    return Label(
        name=spec.name,
        source=holder.name,
        column=name,
        of=examples.name,
        join=spec.join if examples is not holder else None,
        type=column.type,
        matures_after=max(spec.matures_after, column.known_after),
        span=context.span(("label",), key=True),
    )


def _source(
    name: str, key: str, sources: Mapping[str, Source], declared: frozenset[str], context: Context
) -> Source | None:
    if name not in sources and name not in declared:
        context.unknown(
            "E2004", f"`label.{key}` refers to source `{name}`, which is not declared", ("label", key), name, declared
        )
    return sources.get(name)


def _join(spec: LabelSpec, holder: Source, examples: Source, context: Context) -> None:
    if spec.join is None:
        what = f"`label` takes `{holder.name}` to `{examples.name}` without `join`"
        context.report("E2033", what, ("label",), key=True, expected="`join:` with a column that both have")
        return
    for source in (holder, examples):
        if source.column(spec.join) is None:
            what = f"`label.join` names the column `{spec.join}`, which `sources.{source.name}` does not have"
            context.unknown("E2003", what, ("label", "join"), spec.join, [one.name for one in source.columns])
    left, right = holder.column(spec.join), examples.column(spec.join)
    if left and right and left.type.not_null() != right.type.not_null():
        what = f"`label.join` compares `{left.type}` of `{holder.name}` with `{right.type}` of `{examples.name}`"
        context.report("E2033", what, ("label", "join"), expected="columns of one type")
