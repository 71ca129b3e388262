"""The kind `linear.ranker`: what it reads, what it is asked by, and what it refuses."""

from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.retrieval import CANDIDATES
from mlsd_framework.plan.compilation import compile_spec

SPEC = (Path(__file__).parents[1] / "targets" / "cases" / "held_out.yaml").read_text(encoding="utf-8")
FEATURES = 'features: ["candidates.*_z", trend.*, taste.count_lifetime]'


def ranker(folder: Path, *pairs: tuple[str, str]) -> Model:
    """Return the ranker of the spec with some of its text replaced."""
    text = SPEC
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    [model] = compile_spec(path).system.models
    return model


def codes(folder: Path, *pairs: tuple[str, str]) -> list[str]:
    """Return the codes of what is wrong with the changed spec."""
    with pytest.raises(SpecError) as caught:
        ranker(folder, *pairs)
    return [one.code for one in caught.value.diagnostics]


def test_it_reads_standardised_scores_by_pattern(tmp_path: Path) -> None:
    """A pattern takes columns of every source; without `standardise` there are none of these."""
    model = ranker(tmp_path)
    read = [one.name for one in model.features if one.group == CANDIDATES]
    assert read == ["ease_z", "popular_z", "together_z"]
    assert dict(model.settings) == {"l2": (5.0, 50.0), "by": ("taste.count_lifetime",), "top": 10}
    assert codes(tmp_path, ("          standardise: true\n", "")) == ["E2001"]


def test_what_changes_weights_is_one_of_its_features(tmp_path: Path) -> None:
    """By name or by the pattern of its group; several are a list."""
    whole = ranker(tmp_path, (FEATURES, "features: [candidates.*, taste.count_lifetime, trend.*]"))
    assert len([one for one in whole.features if one.group == CANDIDATES]) == 9
    assert codes(tmp_path, ("by: taste.count_lifetime", "by: taste.items_lifetime")) == ["E1103"]
    both = ranker(tmp_path, ("by: taste.count_lifetime", "by: [taste.count_lifetime, trend.purchases_lifetime]"))
    assert dict(both.settings)["by"] == ("taste.count_lifetime", "trend.purchases_lifetime")


def test_categories_and_senseless_regularisation_are_refused(tmp_path: Path) -> None:
    """Words have no weight, and without regularisation there may be no optimum."""
    assert codes(tmp_path, (FEATURES, "features: [product.kind, taste.count_lifetime]")) == ["E2035"]
    assert codes(tmp_path, ("    label: bought\n", "    label: bought\n    l2: [0, 5]\n")) == ["E1103"]
