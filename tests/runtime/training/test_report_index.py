"""The entry to the reports."""

from mlsd_framework.runtime.training.report.index import Link, page


def test_one_report_is_opened_at_once_and_several_are_listed() -> None:
    """With one link the page moves on; with two it lists them and says which fails gates."""
    one = page("s", "v1", [Link("fraud", "fraud.report.html")])
    assert '<meta http-equiv="refresh" content="0; url=fraud.report.html">' in one
    two = page("s", "v1", [Link("a", "a.report.html"), Link("b", "b.report.html", failed=2)])
    assert "refresh" not in two
    assert two.index('href="a.report.html"') < two.index("all gates hold") < two.index("2 gates fail")


def test_names_stay_text() -> None:
    """Markup in names is escaped, in text and in links."""
    text = page("<script>", "v", [Link('"><script>', '"><script>.report.html')])
    assert "<script>" not in text
