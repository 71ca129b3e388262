"""Which change of a spec makes which stages stale: the table is the contract of `plan`."""

import pytest

from tests.plan.small_project import Small

BUILD, DATASET, FRAUD, SECOND, EVALUATE = "build", "dataset", "train fraud", "train second", "evaluate"
MATERIALISE, VERIFY, SERVE = "materialise", "verify", "serve"
DECIDED = {BUILD, EVALUATE, SERVE}

# ruff: noqa: E501 - a table
CHANGES = {
    "a comment": (("entities:", "# a comment\nentities:"), set()),
    "lines moved": (("\nlabel:", "\n\n\nlabel:"), set()),
    "the description": (("A small system", "Another sentence"), {BUILD}),
    "a cost": (("false_positive: 5", "false_positive: 6"), DECIDED),
    "a rule": (("amount > 10000", "amount > 9000"), DECIDED),
    "a rule's reason": (("a large amount", "a very large amount"), DECIDED),
    "a gate": (("average_precision >= 0.0", "average_precision >= 0.1"), DECIDED),
    "a metric": (("[average_precision, roc_auc]", "[average_precision, roc_auc, log_loss]"), DECIDED),
    "the bootstrap": (("bootstrap: 10", "bootstrap: 20"), DECIDED),
    "a stage's budget": (("budget: 5ms", "budget: 6ms"), DECIDED),
    "a hyperparameter": (("iterations: 5", "iterations: 6"), {FRAUD, *DECIDED}),
    "the calibration": (("    depth: 2\n    gates", "    depth: 2\n    calibration: isotonic\n    gates"), {FRAUD, *DECIDED}),
    "a split's seed": (("seed: 7", "seed: 8"), {FRAUD, *DECIDED}),
    "a feature of one model": (("amount > 100\n", "amount > 90\n"), {DATASET, VERIFY, SECOND, *DECIDED}),
    "a feature of the other": (("hour(ts) < 6", "hour(ts) < 5"), {DATASET, VERIFY, FRAUD, *DECIDED}),
    "a stored feature of one model": (("sum(amount)", "mean(amount)"), {DATASET, VERIFY, SECOND, MATERIALISE, *DECIDED}),
    "a stored feature of no model": (("      spend: sum", "      most: max(amount)\n      spend: sum"), {DATASET, VERIFY, MATERIALISE, *DECIDED}),
    "a delay of a group": (("    windows: [1d", "    delay: 1d\n    windows: [1d"), {DATASET, VERIFY, FRAUD, SECOND, MATERIALISE, *DECIDED}),
    "a column of the request": (("      note: string?\n", "      note: string?\n      more: string?\n"), {DATASET, VERIFY, *DECIDED}),
    "the port": (("port: 0", "port: 3999"), {SERVE}),
    "the workers": (("workers: 1", "workers: 2"), {SERVE}),
    "the label's delay": (("column: is_fraud}", "column: is_fraud, matures_after: 1h}"), {DATASET, VERIFY, FRAUD, SECOND, *DECIDED}),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_exactly_these_stages_stale(settled: Small, name: str) -> None:
    """Neither more nor fewer stages are done again than a change asks for."""
    edit, wanted = CHANGES[name]
    settled.write(edit)
    found = set(settled.stale())
    if not wanted - {BUILD}:
        found -= {BUILD}  # pointers to moved lines are written anew, and change nothing
        wanted = wanted - {BUILD}
    assert found - {BUILD} == wanted - {BUILD}
    assert (BUILD in found) or BUILD not in wanted


def test_nothing_is_stale_after_everything_was_done(settled: Small) -> None:
    """An unchanged system has nothing to do."""
    plan = settled.plan()
    assert (plan.actions, plan.effect) == ((), "nothing")


def test_a_description_of_a_column_retrains_nothing(settled: Small) -> None:
    """Words in answers change with a reload, without a new version."""
    settled.write(("describe: the amount", "describe: what was paid"))
    assert set(settled.stale()) <= {BUILD, SERVE}


def test_a_moved_line_changes_pointers_only(settled: Small) -> None:
    """Generated files are written again for their pointers, and nothing follows."""
    settled.write(("\nlabel:", "\n\n\nlabel:"))
    plan = settled.plan()
    assert [one.stage.name for one in plan.actions] == [BUILD]
    assert plan.effect == "nothing"


def test_changed_rows_make_the_data_stale(settled: Small) -> None:
    """The content of a local file counts, its moment of change alone does not."""
    file = settled.root / "data" / "payments.csv"
    text = file.read_text()
    file.write_text(text)
    assert settled.stale() == []
    file.write_text(text.replace("shop", "online", 1))
    plan = settled.plan()
    assert {one.stage.name for one in plan.actions} == {DATASET, FRAUD, SECOND, EVALUATE, MATERIALISE, VERIFY, SERVE}
    assert plan.actions[0].reasons == ("the data of `sources.payments` has changed",)


def test_a_reason_names_the_part_and_both_values(settled: Small) -> None:
    """What changed is told with its former and its new value."""
    settled.write(("iterations: 5", "iterations: 6"))
    reasons = {one.stage.name: one.reasons for one in settled.plan().actions}
    assert reasons[FRAUD] == ("`models.fraud.iterations` is 6, was 5",)
    assert reasons[EVALUATE] == ("it follows `train fraud`",)


@pytest.mark.parametrize("stage", [DATASET, FRAUD, EVALUATE, MATERIALISE, VERIFY])
def test_a_damaged_output_is_made_again(settled: Small, stage: str) -> None:
    """A file that is gone, or that someone changed, makes its stage stale, and that alone."""
    found = settled.project().blueprint.stage(stage)
    place = settled.root / found.outputs[0]
    file = place if place.is_file() else place / "file"
    file.write_text("damaged")
    plan = settled.plan()
    assert stage in {one.stage.name for one in plan.actions}
    assert {one.stage.name for one in plan.actions} <= {stage, SERVE}
    file.unlink()
    assert stage in settled.stale()


def test_a_service_that_does_not_run_is_started(settled: Small) -> None:
    """Nothing else is done again when the service has ended."""
    settled.running = None
    plan = settled.plan()
    assert [(one.stage.name, one.reasons) for one in plan.actions] == [(SERVE, ("no service runs",))]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"stages": 3}', '{"stages": {"dataset": {"fingerprint": 1}}, "history": []}']
)
def test_a_damaged_state_is_a_state_without_what_it_lost(settled: Small, text: str) -> None:
    """A state that cannot be read makes stages stale; it never stops a plan."""
    settled.project().workspace.state.write_text(text)
    plan = settled.plan()
    assert {one.stage.name for one in plan.actions} == {DATASET, FRAUD, SECOND, EVALUATE, MATERIALISE, VERIFY, SERVE}


def test_breaking_changes_are_told(settled: Small) -> None:
    """A request that callers send today and that would be refused tomorrow is breaking."""
    settled.write(("      note: string?\n", "      note: string\n      device: int64\n"))
    plan = settled.plan()
    assert plan.effect == "breaking"
    assert plan.breaking == (
        "`/decide` requires `note`, which could be left out",
        "`/decide` requires `device`, which it did not ask for",
    )


def test_a_removed_endpoint_is_breaking(settled: Small) -> None:
    """An endpoint that is gone is told before anything is done."""
    settled.write(("  /decide:", "  /judge:"))
    assert "endpoint `/decide` is removed" in settled.plan().breaking


def test_a_spec_that_has_not_changed_is_not_compiled(settled: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second plan takes the blueprint from memory; another spec, or a damaged memory, is compiled."""
    settled.plan()
    monkeypatch.setattr("mlsd_framework.plan.compilation.compile_spec", None)
    assert settled.plan().actions == ()
    for file in (settled.root / ".mlsd" / ".compiled").glob("*.json"):
        file.write_text("{")
    with pytest.raises(TypeError):
        settled.plan()
