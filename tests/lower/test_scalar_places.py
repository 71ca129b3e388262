"""An offset in a scalar's value is found again in the file, whatever the scalar's style."""

import pytest
import yaml

from mlsd_framework.diagnostics.span import Span
from mlsd_framework.lower.scalar_places import Place

DOCUMENTS = {
    "plain": "a:\n  b: x + wrong - 1\n",
    "plain over lines": "a:\n  b: x +\n     y - wrong\n     + 1\n",
    "plain over a blank line": "a:\n  b: x +\n\n     wrong\n",
    "single quoted": "a:\n  b: 'x = ''a'' or wrong'\n",
    "single quoted over lines": "a:\n  b: 'x = ''a''\n    or wrong'\n",
    "double quoted": 'a:\n  b: "x = \\"a\\" \\x41 \\u00e5 \\t or wrong"\n',
    "double quoted over lines": 'a:\n  b: "x\n    or wrong"\n',
    "double quoted, continued": 'a:\n  b: "x or \\\n    wrong"\n',
    "literal": "a:\n  b: |\n    x +\n      wrong\n    + 1\n",
    "literal, stripped": "a:\n  b: |-\n    wrong\n",
    "literal with a blank line": "a:\n  b: |\n    x +\n\n    wrong\n",
    "folded": "a:\n  b: >\n    x +\n    y -\n    wrong\n",
    "flow": "a: {b: x + wrong, c: 1}\n",
    "beyond ascii": "a:\n  b: x = 'åäö€' or wrong\n",
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_the_word_at_fault_is_found_in_the_file(document: str) -> None:
    """Slicing the file at the returned span gives the word itself."""
    scalar = next(value for key, value in _pairs(yaml.compose(document)) if key.value == "b")
    mark, end = scalar.start_mark, scalar.end_mark
    span = Span("x.yaml", mark.line + 1, mark.column + 1, end.line + 1, end.column + 1)
    place = Place(span, document[mark.index : end.index])
    start = scalar.value.index("wrong")
    found = place.locate(scalar.value, start, start + len("wrong"))
    assert found is not None
    assert found.line == found.end_line
    assert document.splitlines()[found.line - 1][found.column - 1 : found.end_column - 1] == "wrong"


def test_without_text_the_whole_span_stands() -> None:
    """A value that is not written in the file, such as a default, is marked as a whole."""
    span = Span("x.yaml", 1, 1, 1, 9)
    assert Place(span).locate("a + b", 0, 1) == span
    assert Place(None).locate("a + b", 0, 1) is None
    assert Place(span, "a + c").locate("a + b", 4, 5) == span


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    assert isinstance(node, yaml.MappingNode)
    inner = [pair for _, value in node.value if isinstance(value, yaml.MappingNode) for pair in _pairs(value)]
    return [*node.value, *inner]
