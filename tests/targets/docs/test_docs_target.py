"""The README of a system: what it says, and that a spec's text stays text."""

import re
from pathlib import Path

import pytest

from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.plan.drafting import blueprint_of
from mlsd_framework.targets import artefacts
from mlsd_framework.targets.docs.capacity import row_bytes
from mlsd_framework.targets.docs.files import docs_files
from tests.conftest import Golden

HERE = Path(__file__).parent
SMALL = HERE / "small.yaml"
CASES = HERE.parent / "cases"
HOSTILE = (
    "'\"`` ``` `x`",
    "{{ 7 * 7 }} {% raw %}",
    "one\\n\\n# two\\n| a | b |\\n```\\n",
    "<script>alert(1)</script> <img src=x onerror=alert(1)>",
    "](javascript:alert(1)) ![x](javascript:alert(1)) [y]: javascript:alert(1)",
    "**bold** _it_ ~~gone~~ $x$ &lt;b&gt; \\\\| || \\\\",
)
PLACES = ("Decides orders of a shop", "one order of a customer", "order value", "the chance that an order comes back")
PLACES += ("answers each order before it is packed", "the order is above 4000 EUR", "CC0-1.0")


def _readme(path: Path, spec: str = "specs/small.yaml") -> str:
    compiled = compile_spec(path)
    (made,) = docs_files(compiled.system, spec, compiled.registry)
    assert made.path == "README.md"
    return made.text


def _skeleton(page: str) -> list[str]:
    """Return the characters of each line that mean something to Markdown; what stands in a fence does not."""
    lines, fenced = [], False
    for line in page.split("\n"):
        if line.startswith("```"):
            fenced = not fenced
            lines.append(line)
        elif not fenced:
            bare = "".join(
                part[1:] if index else part for index, part in enumerate(line.replace("\\\\", "").split("\\"))
            )
            lines.append("".join(char for char in bare if char in "|#`[]<>*{}!$~"))
    return lines


def test_the_readme_of_a_small_system(golden: Golden) -> None:
    """The whole page is the golden one."""
    golden(_readme(SMALL), HERE / "golden" / "small" / "README.md")


def test_the_page_is_the_same_each_time() -> None:
    """Two builds of one spec give the same bytes."""
    assert _readme(SMALL) == _readme(SMALL)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_spec_stays_text(tmp_path: Path, text: str) -> None:
    """Whatever the spec's texts hold, the page has the structure that plain words give it."""
    spec = SMALL.read_text(encoding="utf-8")
    quoted = '"' + text.replace('"', '\\"') + '"'
    for place in PLACES:
        assert place in spec
        spec = spec.replace(place, quoted)
    spec = spec.replace("[shop, online]", f"[{quoted}, online]").replace("unit: EUR", f"unit: {quoted}")
    spec = spec.replace("'shop'", "'x`|<b>](javascript:y)'")
    (tmp_path / "hostile.yaml").write_text(spec, encoding="utf-8")
    assert _skeleton(_readme(tmp_path / "hostile.yaml", "specs/`a`|[b](c)<d>.yaml")) == _skeleton(_readme(SMALL))


def test_the_scripts_that_it_names_are_generated() -> None:
    """Every script and folder in the commands is one that the same build writes."""
    compiled = compile_spec(SMALL)
    made = {one.path: one.text for one in artefacts(compiled.system, compiled.registry)}
    scripts = re.findall(r"generated/small/(\S+\.py)", made["README.md"])
    folders = re.findall(r"cd generated/small/(\w+)", made["README.md"])
    assert len(scripts) == 4
    assert set(scripts) <= set(made)
    assert set(folders) == {"feature_repo", "service"} <= {path.split("/")[0] for path in made}


def test_what_retrieves_is_shown(golden: Golden) -> None:
    """What finds candidates, their indexes, what comes of them, and what is asked of each source."""
    golden(_readme(CASES / "shop.yaml", "specs/shop.yaml"), HERE / "golden" / "shop" / "README.md")


@pytest.mark.parametrize("case", ["shop", "held_out", "impressions", "similar", "recommendation", "everything"])
def test_its_scripts_are_those_that_the_plan_runs(case: str) -> None:
    """In an order in which each finds what it reads; the proof is a command of its own."""
    compiled = compile_spec(CASES / f"{case}.yaml")
    made = {one.path: one.text for one in artefacts(compiled.system, compiled.registry)}
    stages = {one.name: one for one in blueprint_of(compiled.system, made).stages}
    ran = re.findall(r"generated/\S+/(training/\S+\.py)", made["README.md"])
    planned = {str(getattr(one, "script", "")).split("/", 2)[-1]: name for name, one in stages.items()}
    assert set(ran) == {script for script in planned if script} - {"training/verify.py"}
    names = [planned[script] for script in ran]
    for place, name in enumerate(names):
        assert not [one for one in stages[name].after if one in names[place + 1 :]], name


def test_simulated_data_is_called_so(tmp_path: Path) -> None:
    """A system on simulated data says it on top, at the source and in the diagram."""
    columns = "    key: payment_id\n    event_time: ts\n    schema: {payment_id: int64, ts: timestamp}\n"
    spec = (
        "mlsd: 1\nsystem: made\nsources:\n  payments:\n    kind: simulated\n    process: cards\n    table: payments\n"
    )
    (tmp_path / "made.yaml").write_text(spec + columns, encoding="utf-8")
    page = _readme(tmp_path / "made.yaml")
    assert page.count("**Simulated data.**") == 2
    assert '[("payments, simulated")]' in page


def test_a_stored_row_is_as_long_as_the_store_packs_it() -> None:
    """The capacity figures count the bytes that the online store writes."""
    from mlsd_framework.codegen.store_types import store_dtype  # noqa: PLC0415 - the runtime is only for this test
    from mlsd_framework.runtime.features.packed import RowLayout  # noqa: PLC0415 - the same
    from mlsd_framework.runtime.features.windows import FeatureColumn  # noqa: PLC0415 - the same

    for group in compile_spec(SMALL).system.windows:
        columns = tuple(FeatureColumn(one.name, store_dtype(one.type)) for one in group.features)  # type: ignore[arg-type]
        packed = RowLayout(group.name, columns, group.key).pack([None] * len(columns))
        assert len(packed) == row_bytes(group)
