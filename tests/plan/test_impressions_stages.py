"""A change of what is read from impressions makes again what follows from it: examples, or what is estimated."""

from pathlib import Path

import pytest

from tests.plan.small_project import Small

SPEC = (Path(__file__).parents[1] / "targets" / "cases" / "impressions.yaml").read_text(encoding="utf-8")
DATASET, RANKER, EVALUATE, VERIFY, SERVE = "dataset", "train ranker", "evaluate", "verify", "serve"
CHANGES = {
    "what a request is": ("clicked, request: page_id}\n\nmodels", "clicked}\n\nmodels", {DATASET, RANKER, VERIFY}),
    "how outcomes are known": ("outcome: clicked", "within: 1d", {DATASET, RANKER, VERIFY}),
    "where a propensity stands": ("position: place, ", "", {DATASET}),
    "how large a weight may be": ("position: place, ", "position: place, clip: 30, ", set()),
    "what the estimate has to be": ("snips >= 0.2", "snips >= 0.21", set()),
}


@pytest.fixture
def settled(tmp_path: Path) -> Small:
    """Return the site with everything done; nothing reads its files."""
    made = Small(tmp_path, text=SPEC)
    (tmp_path / "data").mkdir()
    for name in ("clicks", "views", "items"):
        (tmp_path / "data" / f"{name}.parquet").write_text(name)
    made.write()
    made.settle()
    return made


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_exactly_these_stages_stale(settled: Small, name: str) -> None:
    """The version is judged again whatever changes; what is learned only where examples do."""
    old, new, wanted = CHANGES[name]
    settled.write((old, new))
    assert set(settled.stale()) - {"build"} == {*wanted, EVALUATE, SERVE}


def test_other_impressions_are_other_examples(settled: Small) -> None:
    """The files of the log are what the ranker and the estimates are made of; sources of candidates stay."""
    (settled.root / "data" / "views.parquet").write_text("others")
    stale = set(settled.stale())
    assert {DATASET, RANKER, EVALUATE, VERIFY} <= stale
    assert not {"train popular", "train together", "catalogue"} & stale
