"""A plan on paper: saved, applied as it is, refused when it would do something else."""

import json
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import PlanError
from mlsd_framework.plan.definition import check_same, load_saved, save
from mlsd_framework.plan.explainer import explain
from tests.plan.small_project import Small


def saved(small: Small) -> Path:
    """Save the plan of a changed cost and return its file."""
    small.write(("false_positive: 5", "false_positive: 6"))
    path = small.root / "plan.json"
    save(small.plan(), path)
    return path


def test_a_saved_plan_is_the_same_plan(settled: Small) -> None:
    """A plan that nothing has overtaken is accepted."""
    path = saved(settled)
    check_same(load_saved(path), settled.plan(), path)


@pytest.mark.parametrize("edit", [("false_positive: 5", "false_positive: 7"), ("iterations: 5", "iterations: 9")])
def test_another_spec_refuses_a_saved_plan(settled: Small, edit: tuple[str, str]) -> None:
    """A spec that was edited since is not deployed by an older plan."""
    path = saved(settled)
    settled.write(edit)
    with pytest.raises(PlanError, match="E5012"):
        check_same(load_saved(path), settled.plan(), path)


def test_another_state_refuses_a_saved_plan(settled: Small) -> None:
    """What was done, or undone, since the plan was made refuses it."""
    path = saved(settled)
    settled.project().workspace.state.unlink()
    with pytest.raises(PlanError, match="what is done has changed"):
        check_same(load_saved(path), settled.plan(), path)


def test_changed_rows_refuse_a_saved_plan(settled: Small) -> None:
    """Data that changed since would be trained on without having been planned."""
    path = saved(settled)
    data = settled.root / "data" / "payments.csv"
    data.write_text(data.read_text().replace("shop", "online", 1))
    with pytest.raises(PlanError, match="the data has changed"):
        check_same(load_saved(path), settled.plan(), path)


@pytest.mark.parametrize("text", ["", "[]", '{"spec": 1}', "\x00"])
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever else a file holds, it is told that it is no plan."""
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(PlanError, match="E5011"):
        load_saved(path)


def test_a_plan_says_what_why_and_how_long(settled: Small) -> None:
    """The text names the effect, each reason and the time of the last run; JSON has the same."""
    settled.write(("iterations: 5", "iterations: 6"))
    plan = settled.plan()
    text = explain(plan)
    assert "small (environment `local`): retrain" in text
    assert "because `models.fraud.iterations` is 6, was 5" in text
    assert "unchanged: dataset, train second, materialise" in text
    data = json.loads(json.dumps(plan.data()))
    assert [one["stage"] for one in data["actions"]] == ["build", "train fraud", "evaluate", "serve"]


def test_a_plan_of_an_unchanged_system_says_so(settled: Small) -> None:
    """There is one line, and nothing to do."""
    assert explain(settled.plan()) == "small (environment `local`): nothing to do"
