"""Which change of a recommendation spec makes which stages stale, and what its effect is called."""

from pathlib import Path

import pytest

from tests.plan.small_project import Small
from tests.targets.made_shop import SPEC

BUILD, CATALOGUE, DATASET, EVALUATE = "build", "catalogue", "dataset", "evaluate"
POPULAR, EASE, TOWERS, RANKER, INDEX = "train popular", "train ease", "train towers", "train ranker", "index items"
MATERIALISE, VERIFY, SERVE = "materialise", "verify", "serve"
DECIDED = {BUILD, EVALUATE, SERVE}
LEARNED = {BUILD, DATASET, VERIFY, RANKER, EVALUATE, SERVE}
PUBLISHED = {MATERIALISE, *LEARNED}


CHANGES = {
    "a comment": ("entities:", "# a comment\nentities:", set(), "nothing"),
    "lines moved": ("\nlabel:", "\n\n\nlabel:", set(), "nothing"),
    "a source's hyperparameter": ("items: 100, l2: 50", "items: 100, l2: 60", {EASE, *LEARNED}, "retrain"),
    "the popular one's half-life": ("half_life: 28d", "half_life: 14d", {POPULAR, *LEARNED}, "retrain"),
    "the towers' length": ("dim: 8", "dim: 16", {TOWERS, INDEX, *LEARNED}, "retrain"),
    "the ranker's trees": ("iterations: 30", "iterations: 31", {RANKER, *DECIDED}, "retrain"),
    "the index's recall": ("recall: 0.9", "recall: 0.95", {INDEX, *DECIDED}, "re-index"),
    "the index's engines": ("engines: exact", "engines: [exact, scann]", {INDEX, *DECIDED}, "re-index"),
    "a gate": ("ndcg >= 0.05", "ndcg >= 0.06", DECIDED, "re-threshold"),
    "a gate's place": ("at retrieve", "at score", DECIDED, "re-threshold"),
    "a metric": ("[ndcg, {recall_at_k: 50}]", "[ndcg, {recall_at_k: 50}, mrr]", DECIDED, "re-threshold"),
    "a quota": ("            ease: 40", "            ease: 41", LEARNED, "retrain"),
    "what is new": ("n: 30, new: true", "n: 30, new: false", LEARNED, "retrain"),
    "how many candidates": ("          n: 60", "          n: 50", LEARNED, "retrain"),
    "the history's length": ('"last_n(product_id, 50)"', '"last_n(product_id, 49)"', PUBLISHED, "retrain"),
    "a feature of items": ("windows: [7d, 28d]", "windows: [7d, 27d]", PUBLISHED, "retrain"),
    "a feature of the user's tower": ("usual: mean(", "usual: max(", {TOWERS, INDEX, *PUBLISHED}, "retrain"),
    "the outcome's horizon": ("within: 7d", "within: 6d", LEARNED, "retrain"),
    "the sample of a request": ("negatives: 20", "negatives: 21", LEARNED, "retrain"),
    "the port": ("port: 0", "port: 3999", {SERVE}, "reload"),
}  # fmt: skip


@pytest.fixture
def settled(tmp_path: Path) -> Small:
    """Return the shop with everything done; nothing reads its files."""
    made = Small(tmp_path, text=SPEC)
    (tmp_path / "data").mkdir()
    for name in ("purchases", "products", "people"):
        (tmp_path / "data" / f"{name}.parquet").write_text(name)
    made.write()
    made.settle()
    return made


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_exactly_these_stages_stale(settled: Small, name: str) -> None:
    """Neither more nor fewer stages are done again than a change asks for, and the plan says what that comes to."""
    old, new, wanted, effect = CHANGES[name]
    settled.write((old, new))
    plan = settled.plan()
    assert {one.stage.name for one in plan.actions} - {BUILD} == wanted - {BUILD}
    assert plan.effect == effect


@pytest.mark.parametrize(
    ("old", "new"),
    [("default: 10, min: 1, max: 50", "default: 12, min: 1, max: 50"), ("cache: 60s", "cache: 30s")],
    ids=["a default", "the cache"],
)
def test_how_requests_are_answered_retrains_nothing(settled: Small, old: str, new: str) -> None:
    """A default of the request and the time of the cache are of the service alone."""
    settled.write((old, new))
    stale = set(settled.stale())
    assert SERVE in stale
    assert stale <= DECIDED


def test_nothing_is_stale_after_everything_was_done(settled: Small) -> None:
    """An unchanged system has nothing to do."""
    plan = settled.plan()
    assert (plan.actions, plan.effect) == ((), "nothing")


def test_changed_products_make_the_catalogue_anew(settled: Small) -> None:
    """All that knows items by their place follows the table that lists them; what reads events alone does too."""
    (settled.root / "data" / "products.parquet").write_text("others")
    assert {CATALOGUE, DATASET, POPULAR, EASE, TOWERS, INDEX, RANKER, EVALUATE, SERVE} <= set(settled.stale())


def test_changed_people_are_read_by_the_towers_alone(settled: Small) -> None:
    """Sources that read events alone are not trained again; the catalogue stays."""
    (settled.root / "data" / "people.parquet").write_text("others")
    stale = set(settled.stale())
    assert {DATASET, TOWERS, INDEX, RANKER, EVALUATE, MATERIALISE, VERIFY, SERVE} <= stale
    assert not {CATALOGUE, POPULAR, EASE} & stale


@pytest.mark.parametrize("stage", [CATALOGUE, INDEX])
def test_a_damaged_output_is_made_again(settled: Small, stage: str) -> None:
    """A catalogue or an index that somebody changed makes its stage stale."""
    place = settled.root / settled.project().blueprint.stage(stage).outputs[0]
    (place if place.is_file() else place / "file").write_text("damaged")
    assert stage in settled.stale()
