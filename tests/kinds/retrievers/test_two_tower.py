"""The training script of two towers, as it is written for what a spec calls things and for types of any kind."""

import ast
from pathlib import Path

from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.targets import artefacts

SHOP = Path(__file__).parents[2] / "targets" / "cases" / "shop.yaml"


def script(folder: Path, *changes: tuple[str, str]) -> str:
    """Return `training/towers.py` of the shop's spec after some changes of its text."""
    text = SHOP.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = folder / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    compiled = compile_spec(path)
    return next(one.text for one in artefacts(compiled.system, compiled.registry) if one.path == "training/towers.py")


def test_booleans_about_the_user_are_numbers(tmp_path: Path) -> None:
    """Retrieval has them as such in batch, with NaN for null; of items, which no request tells, they are categories."""
    found = script(
        tmp_path,
        ("city: category}", "city: category, member: bool}"),
        ("columns: [city]", "columns: [city, member]"),
        ("kind: category,", "kind: category, fresh: bool,"),
        ("columns: [kind]", "columns: [kind, fresh]"),
        ("[person.city, habit.*]", "[person.*, habit.*]"),
        ("item_features: product.kind", "item_features: product.*"),
    )
    assert 'Number("person.member")' in found
    assert 'Embedding("person.member"' not in found
    assert 'Category("product.fresh", "product.fresh")' in found


def test_a_source_takes_no_name_of_the_script(tmp_path: Path) -> None:
    """A log that is called as a function of the script gets another name there, and keeps it where it is passed."""
    found = script(tmp_path, ("purchases", "users"))
    names = [one.name for one in ast.parse(found).body if isinstance(one, ast.FunctionDef)]
    assert names == ["users", "windows", "train", "fit", "asking", "main"]
    assert "def fit(log: Interactions, users_2: pl.LazyFrame) -> Retriever:" in found
    assert 'taken = taken.beside(windows(users_2, taken.moments(log, users_2, "user_id")))' in found
