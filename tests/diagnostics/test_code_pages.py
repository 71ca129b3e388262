"""Every code that the source can report has a page, every page is of a reported code, and pages are whole."""

import ast
import re
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.codes import CODES
from mlsd_framework.diagnostics.codes.code import Code

PACKAGE = Path(__file__).parents[2] / "mlsd_framework"
# Pages of codes that are put together elsewhere than in a literal, or belong to what comes next.
UNREPORTED: dict[str, str] = {"E6426": "an unknown path is answered by the server itself, without a code in a literal"}
CODE = re.compile(r"[EW][1-6]\d{3}\Z")


def codes_in(path: Path) -> set[str]:
    """Return the codes that stand as literals in a module, f-strings' constant parts included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = {one.value for one in ast.walk(tree) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return {text for text in texts if CODE.match(text)}


@pytest.fixture(scope="module")
def reported() -> dict[str, list[str]]:
    """Return each code with the modules that report it."""
    found: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        if "codes" not in path.parts:
            for code in codes_in(path):
                found.setdefault(code, []).append(str(path.relative_to(PACKAGE)))
    return found


def test_every_reported_code_has_a_page(reported: dict[str, list[str]]) -> None:
    """No message names a code that `mlsd explain` does not know."""
    assert {code: where for code, where in reported.items() if code not in CODES} == {}


def test_every_page_is_of_a_reported_code(reported: dict[str, list[str]]) -> None:
    """No page outlives the check that it explains."""
    assert sorted(set(CODES) - set(reported) - set(UNREPORTED)) == []


def test_no_two_pages_have_one_code_or_one_name() -> None:
    """A code is written down once, and a name means one code."""
    files = sorted((PACKAGE / "diagnostics" / "codes").glob("*.py"))
    written = [code for path in files for code in re.findall(r'Code\(\s*(?:code=)?"(E\d{4})"', path.read_text("utf-8"))]
    assert sorted(written) == sorted(CODES)
    names = [page.name for page in CODES.values()]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


@pytest.mark.parametrize("page", CODES.values(), ids=list(CODES))
def test_a_page_says_what_it_means_and_what_to_do(page: Code) -> None:
    """A page is named with dashes, speaks in sentences, and shows the right beside the wrong."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", page.name)
    for sentence in (page.meaning, page.cure):
        assert sentence[0].isupper() or not sentence[0].isalpha()
        assert sentence.rstrip().endswith((".", "`", ")"))
        assert not re.search(r"\b(please|invalid|oops)\b", sentence, re.IGNORECASE)
    assert not page.wrong or page.right
