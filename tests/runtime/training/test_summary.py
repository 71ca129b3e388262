"""The end of an evaluation in the terminal: figures, intervals, gates with signs that the terminal has."""

import io

import numpy as np
import polars as pl

from mlsd_framework.runtime.training import evaluation, summary
from mlsd_framework.runtime.training.artefacts import Predictions
from mlsd_framework.runtime.training.gates import Gate
from mlsd_framework.runtime.training.metrics.bootstrap import Resamples
from mlsd_framework.runtime.training.splits import Parts
from mlsd_framework.runtime.training.thresholds import Costs, by_score


def _measured(gates: tuple[Gate, ...]) -> evaluation.Measured:
    draw = np.random.default_rng(0)
    p = draw.random(300)
    rows = np.arange(300)
    data = pl.DataFrame({"y": draw.random(300) < p})
    parts = Parts(rows[:100], rows[100:200], rows[200:])
    return evaluation.measure(
        evaluation.Subject("m", data, Predictions(p, p, parts), label="y"),
        metrics=["roc_auc", "cost", "precision"],
        gates=gates,
        decision=by_score(score="m", actions=["approve", "decline"], thresholds={"decline": 0.5}),
        costs=Costs(10.0, 5.0),
        resamples=Resamples(20),
    )


def test_columns_line_up_and_gates_say_by_how_much() -> None:
    """Money has its unit, a gate that fails says by how much, and every row's interval begins in one column."""
    text = summary.text([_measured((Gate("roc_auc", ">=", 0.5), Gate("roc_auc", ">=", 0.999)))], currency="EUR")
    title, head, *rows = text.strip().splitlines()
    assert title.startswith("m: test part, 100 rows, ")
    assert {line.index("%" if line is head else " to ") > head.index("95") for line in (head, *rows[:3])} == {True}
    assert any(line.split()[0] == "cost" and " EUR  " in line for line in rows)
    assert rows[2].startswith("  precision (any action but the mildest)   0.")
    assert rows[3].startswith("  ✓ gate roc_auc >= 0.5, test part: 0.")
    assert rows[4].startswith("  ✗ gate roc_auc >= 0.999")
    assert ", missed by 0." in rows[4]


def test_a_terminal_without_signs_gets_words() -> None:
    """An ASCII stream is written ASCII only."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    summary.show([_measured((Gate("roc_auc", ">=", 0.5), Gate("roc_auc", "<", 0.1)))], out=stream)
    stream.flush()
    text = raw.getvalue().decode()
    assert "ok   gate roc_auc >= 0.5" in text
    assert "FAIL gate roc_auc < 0.1" in text
