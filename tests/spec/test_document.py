"""YAML with places: scalars are YAML 1.2's, and each key and value knows where it stands."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.spec.document import Document, dotted, parse_document, read_document

Path_ = tuple[str | int, ...]


def document(text: str) -> Document:
    """Parse a text."""
    return parse_document(text, "x.yaml")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"), ("on", "on"), ("yes", "yes"), ("y", "y"), ("true", True), ("FALSE", False), ("null", None),
        ("~", None), ("", None), ("1", 1), ("+1", 1), ("-0", 0), ("010", 10), ("0o17", 15), ("0x1F", 31),
        ("1e3", 1000.0), ("1E-3", 0.001), (".5", 0.5), ("5.", 5.0), ("1_000", "1_000"), ("0b1", "0b1"),
        ("12:30", "12:30"), ("1:2:3", "1:2:3"), ("2018-04-01", "2018-04-01"), (".inf", float("inf")),
        ("-.inf", float("-inf")), ("=", "="), ("'1'", "1"), ('"true"', "true"), ("!", None), ("1d", "1d"), ("٣", "٣"),
        ("0o8", "0o8"), ("1e999", float("inf")), ("é", "é"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(written: str, value: object) -> None:
    """`no` and `on` are text, `1e3` is a number, `010` is ten; what is quoted is text."""
    found = document(f"k: {written}").data
    assert found == {"k": value}
    assert type(found["k"]) is type(value)  # type: ignore[call-overload,index]


def test_not_a_number_is_one() -> None:
    """`.nan` is the number that equals nothing."""
    data: Any = document("k: .nan").data
    assert data["k"] != data["k"]


TEXT = """\
# a comment
system: demo
models:
  fraud: {kind: trees, features: [a, "b c", 'd']}
  long: >-
    folded
    text
serving:
  - fetch: card
  - score
note: end
"""


@pytest.mark.parametrize(
    ("at", "key", "place"),
    [
        (("system",), False, (2, 9, 2, 13)),
        (("system",), True, (2, 1, 2, 7)),
        (("models", "fraud", "kind"), False, (4, 17, 4, 22)),
        (("models", "fraud", "features", 1), False, (4, 38, 4, 43)),
        (("models", "fraud", "features"), False, (4, 24, 4, 32)),
        (("models", "fraud"), False, (4, 3, 4, 8)),
        (("models", "long"), True, (5, 3, 5, 7)),
        (("serving", 0, "fetch"), False, (9, 12, 9, 16)),
        (("serving", 0, "fetch", "groups", 0), False, (9, 12, 9, 16)),
        (("serving", 1), False, (10, 5, 10, 10)),
        (("models", "fraud", "label"), False, (4, 3, 4, 8)),
        (("nothing", "here"), False, (1, 1, 1, 1)),
        ((), False, (1, 1, 1, 1)),
    ],
)
def test_a_place_is_the_value_s_or_the_nearest_that_is_written(at: Path_, key: bool, place: tuple[int, ...]) -> None:
    """A value points at itself, a missing one at its parent's key, the long form of a short one at the short one."""
    span = document(TEXT).place(at, key=key)
    assert (span.line, span.column, span.end_line, span.end_column) == place


def test_what_is_written_is_told_from_what_is_not() -> None:
    """`has` and `present` know the file's own parts of a path; `extent` is the whole of a value."""
    found = document(TEXT)
    assert found.has(("models", "fraud", "features", 2))
    assert not found.has(("models", "fraud", "features", 3))
    assert found.present(("models", "trees", "fraud", "seed")) == ("models", "fraud")
    assert (found.extent(("models", "long")).line, found.extent(("models", "long")).end_line) == (5, 8)
    below = found.below(("models", "fraud"))
    assert below is not None
    assert below.place(("kind",)).column == 17
    assert found.below(("system",)) is None


KEYS = st.text("abcXYZ_09", min_size=1, max_size=6).map(lambda text: f"k{text}")
LETTERS = st.characters(codec="utf-8", categories=["L", "N", "S", "P", "Zs"])
SCALARS = st.one_of(
    st.integers(-999, 999), st.booleans(), st.none(), st.text(LETTERS, max_size=12)
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(KEYS, below, max_size=3)),
    max_leaves=12,
)


def written(
    value: dict[str, Any] | list[Any], indent: int, at: Path_, places: dict[Path_, tuple[int, int]], rows: list[str]
) -> None:
    """Write a tree as block YAML, keeping the row and column of each key and each scalar."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        head = " " * indent + (f"{key}:" if isinstance(value, dict) else "-")
        below = (*at, key)
        if isinstance(item, dict | list) and item:
            rows.append(head)
            places[below] = (len(rows), indent + 1) if isinstance(value, dict) else (0, 0)
            written(item, indent + 2, below, places, rows)
        else:
            text = "[]" if item == [] else "{}" if item == {} else quoted(item)
            rows.append(f"{head} {text}")
            scalar = not isinstance(item, dict | list)
            places[below] = (len(rows), len(head) + 2 if scalar or isinstance(value, list) else indent + 1)


def quoted(item: object) -> str:
    """Write a scalar."""
    if isinstance(item, str):
        return "'" + item.replace("'", "''") + "'"
    return {True: "true", False: "false", None: "null"}[item] if item is None or isinstance(item, bool) else str(item)


@given(st.dictionaries(KEYS, TREES, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_data_and_places_survive_a_round_trip(tree: dict[str, Any]) -> None:
    """Whatever is written is read back, and each key and scalar is found where it was written."""
    places: dict[Path_, tuple[int, int]] = {}
    rows: list[str] = []
    written(tree, 0, (), places, rows)
    found = document("\n".join(rows) + "\n")
    assert found.data == tree
    for at, (row, column) in places.items():
        if row:
            span = found.place(at)
            assert (span.line, span.column) == (row, column), dotted(at)
            assert found.has(at)


def test_a_byte_order_mark_moves_no_place(tmp_path: Path) -> None:
    """The first key of a file that begins with the mark stands in column 1."""
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfsystem: demo\r\nmlsd: 1\r\n")
    found = read_document(path)
    assert found.data == {"system": "demo", "mlsd": 1}
    assert (found.place(("system",), key=True).column, found.place(("mlsd",)).line) == (1, 2)


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_file_that_cannot_be_read_is_a_fault(kind: str, tmp_path: Path) -> None:
    """A missing file and a folder are E1000, with the system's reason."""
    with pytest.raises(SpecError) as caught:
        read_document(tmp_path if kind == "folder" else tmp_path / "missing.yaml")
    [one] = caught.value.diagnostics
    assert one.code == "E1000"


def test_paths_are_written_as_people_do() -> None:
    """Keys are joined with dots, items stand in brackets."""
    assert dotted(("models", "rank", "features", 1, "name")) == "models.rank.features[1].name"
