"""Every bad spec of the corpus gives exactly the text that stands beside it."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.codes import CODES
from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import MlsdError
from mlsd_framework.diagnostics.render.pretty import render
from mlsd_framework.plan.compilation import compile_spec

BAD = Path(__file__).parents[1] / "fixtures" / "bad"
SPECS = sorted(BAD.glob("*.yaml"))

# Codes that no file can show, and where they are tested instead.
ELSEWHERE = {
    "E1000": "a file that is not there: tests/spec/test_document.py",
    "E1001": "a file above the limit: tests/spec/test_hostile_files.py",
    "E1003": "deep nesting: tests/spec/test_hostile_files.py",
    "E1004": "too many values: tests/spec/test_hostile_files.py",
}


def options(text: str) -> tuple[str | None, list[str]]:
    """Read `# options: --env NAME --set KEY=VALUE` from a spec's first line."""
    first = text.partition("\n")[0]
    words = shlex.split(first.removeprefix("# options:")) if first.startswith("# options:") else []
    pairs = list(zip(words[::2], words[1::2], strict=True))
    return next((value for flag, value in pairs if flag == "--env"), None), [v for flag, v in pairs if flag == "--set"]


def faults(spec: Path) -> list[Diagnostic]:
    """Compile a spec and return what is wrong with it."""
    environment, assignments = options(spec.read_text(encoding="utf-8", errors="replace"))
    try:
        return list(compile_spec(spec, environment=environment, assignments=assignments).warnings)
    except MlsdError as fault:
        return list(fault.diagnostics)


@pytest.mark.parametrize("spec", SPECS, ids=[spec.stem for spec in SPECS])
def test_a_bad_spec_is_refused_with_its_full_text(
    spec: Path, golden: Callable[[str, Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output has the code of the file's name, a page for each code, and is exactly the expected text."""
    monkeypatch.chdir(BAD)
    found = faults(Path(spec.name))
    text = spec.read_text(encoding="utf-8", errors="replace")
    assert found, "the spec compiles"
    assert spec.name.split("_")[0] in {one.code for one in found}
    assert all(one.code in CODES for one in found)
    assert [one.span for one in found if one.span] == sorted(one.span for one in found if one.span)
    golden(render(found, {spec.name: text}), spec.with_suffix(".expected.txt"))


def test_every_code_of_a_spec_has_a_bad_spec() -> None:
    """Each page of 1xxx, 2xxx and 3xxx has a file that shows it, or a reason not to."""
    shown = {spec.name.split("_")[0] for spec in SPECS}
    wanted = {code for code in CODES if code[1] in "123"}
    assert sorted(wanted - shown - set(ELSEWHERE)) == []
    assert sorted((set(ELSEWHERE) & shown) | (set(ELSEWHERE) - wanted)) == []


def test_every_expected_text_has_its_spec() -> None:
    """No expected text outlives the spec that it belongs to."""
    texts = {path.name.removesuffix(".expected.txt") for path in BAD.glob("*.expected.txt")}
    assert texts == {spec.stem for spec in SPECS}
