"""The model card: what a model is for, what it was made from and how good it is, in Markdown beside its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.training.gates import Outcome
from mlsd_framework.runtime.training.metrics.registry import Value

_TOP = 20


@dataclass(frozen=True, slots=True)
class Card:
    """The facts of a card; `parts` are (name, rows, positives, first day, last day), `values` metrics by part."""

    system: str
    model: str
    kind: str
    label: str
    version: str
    features: tuple[str, ...]
    parameters: Mapping[str, object]
    parts: tuple[tuple[str, int, int, str, str], ...]
    values: Mapping[str, Sequence[Value]]
    gates: tuple[Outcome, ...] = ()
    importances: Mapping[str, float] | None = None
    limits: tuple[str, ...] = ()


def write(path: Path, card: Card) -> None:
    """Write the card to `path`."""
    atomic.write_text(path, text(card))


def text(card: Card) -> str:
    """Return the card as Markdown; names from the spec cannot break out of their table cells."""
    blocks = [
        f"# {cell(card.model)}\n",
        f"Predicts {cell(card.label)} in the system {cell(card.system)}.",
        f"Kind {cell(card.kind)}, version {card.version}.\n",
        "## Data\n",
        table(
            ("part", "rows", "positives", "from", "to"),
            [(name, f"{rows:,}", f"{positives:,}", first, last) for name, rows, positives, first, last in card.parts],
        ),
        "## Quality\n",
        _quality(card.values),
    ]
    if card.gates:
        blocks += ["## Gates\n", gates(card.gates)]
    if card.importances:
        shares = [(name, f"{share:.1f} %") for name, share in list(card.importances.items())[:_TOP]]
        blocks += ["## What it looks at\n", table(("feature", "importance"), shares)]
    blocks += ["## Parameters\n", table(("parameter", "value"), [(k, str(v)) for k, v in card.parameters.items()])]
    blocks += [f"## Features ({len(card.features)})\n", ", ".join(map(cell, card.features)) + "\n"]
    if card.limits:
        blocks += ["## Limits\n", "".join(f"- {limit}\n" for limit in card.limits)]
    return "\n".join(blocks)


def gates(outcomes: Sequence[Outcome]) -> str:
    """Return a table of gates."""
    rows = [(str(one.gate), one.gate.where, f"{one.value:.4g}", "holds" if one.holds else "fails") for one in outcomes]
    return table(("gate", "measured on", "value", ""), rows)


def _quality(values: Mapping[str, Sequence[Value]]) -> str:
    names = list(dict.fromkeys(value.name for part in values.values() for value in part))
    by_part = {part: {value.name: value for value in found} for part, found in values.items()}
    rows = [(name, *(_figure(by_part[part].get(name)) for part in by_part)) for name in names]
    return table(("metric", *by_part), rows)


def _figure(value: Value | None) -> str:
    if value is None:
        return ""
    shown = f"{value.value:,.0f}" if value.metric.money else f"{value.value:.4f}"
    if value.interval is None:
        return shown
    return f"{shown} ({value.interval.low:.4g} to {value.interval.high:.4g})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of texts, which cannot break out of their cells."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell(one) if one != "---" else one for one in line) + " |\n" for line in lines)


def cell(value: str) -> str:
    """Escape what Markdown or HTML would read, and keep one line."""
    flat = " ".join(value.split()).replace("\\", "\\\\").replace("<", "&lt;").replace(">", "&gt;")
    for letter in "|`*[]":
        flat = flat.replace(letter, f"\\{letter}")
    return flat
