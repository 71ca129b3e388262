"""Gates: all that fail are told, each with how much is missing."""

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.training import gates
from mlsd_framework.runtime.training.gates import Gate


def test_every_failing_gate_is_told_at_once() -> None:
    """The gate, the value and the miss."""
    asked = [
        Gate("average_precision", ">=", 0.78),
        Gate("roc_auc", ">", 0.9),
        Gate("cost", "<=", 100),
        Gate("f1", ">", 0),
    ]
    found = gates.outcomes(asked, {"test": {"average_precision": 0.761, "roc_auc": 0.95, "cost": 120.5}})
    assert [outcome.holds for outcome in found] == [False, True, False, False]
    with pytest.raises(RunError) as raised:
        gates.enforce(found)
    assert [d.what for d in raised.value.diagnostics] == [
        "gate `average_precision >= 0.78` fails: the test part gives 0.761, short by 0.019",
        "gate `cost <= 100` fails: the test part gives 120.5, over by 20.5",
        "gate `f1 > 0` fails: `f1` is not known on the test part",
    ]


def test_gates_that_hold_pass_in_silence() -> None:
    """At the bound, `>=` holds and `>` does not."""
    gates.enforce(gates.outcomes([Gate("a", ">=", 1), Gate("a", "<=", 1)], {"test": {"a": 1.0}}))
    with pytest.raises(RunError, match="exactly 1"):
        gates.enforce(gates.outcomes([Gate("a", ">", 1)], {"test": {"a": 1.0}}))


def test_a_gate_of_a_stage_or_a_slice_meets_nothing_else() -> None:
    """Its value is under what it is measured on; that of the whole part does not stand in for it."""
    asked = [Gate("recall", ">=", 0.5, slice="cold_start"), Gate("recall", ">=", 0.5, stage="merged")]
    found = gates.outcomes(asked, {"test": {"recall": 0.9}, "stage merged": {"recall": 0.4}})
    with pytest.raises(RunError) as raised:
        gates.enforce(found)
    assert [d.what for d in raised.value.diagnostics] == [
        "gate `recall >= 0.5` fails: `recall` is not known on the test part, slice cold_start",
        "gate `recall >= 0.5` fails: stage merged gives 0.4, short by 0.1",
    ]
