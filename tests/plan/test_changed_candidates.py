"""Which change of a pipeline over candidates makes which stages stale: what arranges them is evaluated, not learned."""

from pathlib import Path

import pytest

from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.plan.drafting import blueprint_of
from mlsd_framework.plan.stages import Parts
from mlsd_framework.targets import artefacts

CASE = Path(__file__).parents[1] / "targets" / "cases" / "recommendation.yaml"
EVALUATED = {"build", "evaluate", "serve"}
RETRIEVED = {"dataset", "verify", *EVALUATED}

# ruff: noqa: E501 - a table
CHANGES = {
    "a cap": ("by: product.shelf, most: 4", "by: product.shelf, most: 3", EVALUATED),
    "what is capped": ("{by: product.brand, most: 5", "{by: product.shelf, most: 5", EVALUATED),
    "a boost": ("times: 1.2", "times: 1.3", EVALUATED),
    "a condition": ("product.shelf = 3", "product.shelf = 4", EVALUATED),
    "a half-life": ("half_life: 30d, floor", "half_life: 31d, floor", EVALUATED),
    "the weight of the score": ("lambda: 0.7", "lambda: 0.6", EVALUATED),
    "a gap": ("gap: 2", "gap: 3", EVALUATED),
    "a share": ("{Own: 20%}", "{Own: 25%}", EVALUATED),
    "slots": ("slots: [5, 10]", "slots: [5, 11]", EVALUATED),
    "the order of two stages": ("      - spread: {by: product.brand, gap: 2, top: 20}\n      - expose: {by: product.brand, at_least: {Own: 20%}, top: 20}\n", "      - expose: {by: product.brand, at_least: {Own: 20%}, top: 20}\n      - spread: {by: product.brand, gap: 2, top: 20}\n", EVALUATED),
    "how many a source is asked for": ("again: 50\n", "again: 40\n", {"train ranker", *RETRIEVED}),
    "a comment": ("mlsd: 1", "# words\nmlsd: 1", set()),
}  # fmt: skip


def parts_of(text: str, folder: Path) -> dict[str, Parts]:
    """Return what each stage of the plan of a spec is made from."""
    path = folder / "case.yaml"
    path.write_text(text)
    compiled = compile_spec(path)
    files = {one.path: one.text for one in artefacts(compiled.system, compiled.registry)}
    return {one.name: one.parts for one in blueprint_of(compiled.system, files).stages}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_exactly_these_stages_stale(name: str, tmp_path: Path) -> None:
    """What arranges candidates retrieves nothing again and trains nothing again."""
    old, new, wanted = CHANGES[name]
    text = CASE.read_text()
    assert text.count(old) == 1
    before, after = parts_of(text, tmp_path), parts_of(text.replace(old, new), tmp_path)
    assert {stage for stage in after if after[stage] != before[stage]} == wanted


def test_a_group_that_no_stage_read_before_is_retrieved_with_its_features(tmp_path: Path) -> None:
    """The training set lacks its columns; one that another stage reads already is there."""
    text = CASE.read_text().replace("attention.*, ", "")
    filtered = text.replace("keep: [product.in_stock,", "keep: [attention.views_28d > 0, product.in_stock,")
    again = filtered.replace(
        "keep: [attention.views_28d > 0,", "keep: [attention.views_28d > 0, attention.clicks_28d > 0,"
    )
    one, two, three = (parts_of(spec, tmp_path) for spec in (text, filtered, again))
    assert {stage for stage in two if two[stage] != one[stage]} == RETRIEVED
    assert {stage for stage in three if three[stage] != two[stage]} == EVALUATED
