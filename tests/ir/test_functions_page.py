"""The documentation of functions is their entries."""

from pathlib import Path

from mlsd_framework.ir.functions import FUNCTIONS
from mlsd_framework.ir.functions.page import with_table

PAGE = Path(__file__).parents[2] / "docs" / "expressions.md"


def test_the_page_has_the_functions_of_today() -> None:
    """Every function is on the page with its signature and first example, as its entry has them."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page)
    assert all(f"`{entry.signature}`" in page for entry in FUNCTIONS.values())
