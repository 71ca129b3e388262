"""The catalogue: keys and places, its file, and histories of one request and of many."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.retrieval.catalogue import Catalogue

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
NUMBER = st.integers(-(2**63), 2**63 - 1)
KEYS = st.one_of(st.sets(NUMBER, max_size=8), st.sets(TEXT, max_size=8)).map(lambda keys: tuple(sorted(keys)))  # type: ignore[type-var] # of one type
HEADER = {"mlsd": '{"format": "mlsd catalogue 1"}'}


@given(KEYS, st.data())
@settings(max_examples=60, deadline=None)
def test_a_catalogue_comes_back_from_its_file(
    tmp_path_factory: pytest.TempPathFactory, keys: tuple[Any, ...], data: st.DataObject
) -> None:
    """Keys of either type and descriptions are the same again, and the same items give the same bytes."""
    described = tuple(data.draw(TEXT) for _ in keys) if data.draw(st.booleans()) else ()
    folder = tmp_path_factory.mktemp("catalogue")
    Catalogue(keys, described).save(folder / "one")
    again = Catalogue.load(folder / "one")
    assert (again.keys, again.descriptions) == (keys, described)
    assert [again.code(key) for key in keys] == list(range(len(keys)))
    assert again.keys_of(np.arange(len(keys), dtype=np.int32)) == list(keys)
    assert [again.describe(code) for code in range(len(keys))] == list(described or [None] * len(keys))
    again.save(folder / "two")
    assert (folder / "one").read_bytes() == (folder / "two").read_bytes()


@given(KEYS, st.data())
@settings(max_examples=60, deadline=None)
def test_many_keys_are_found_as_each_one_is(keys: tuple[Any, ...], data: st.DataObject) -> None:
    """Null and keys that are not there have the place -1, and places give the keys again."""
    catalogue = Catalogue(keys)
    of_type = TEXT if keys and isinstance(keys[0], str) else NUMBER
    wanted = data.draw(st.lists(st.one_of(st.none(), of_type, *([st.sampled_from(keys)] if keys else []))))
    series = pl.Series(wanted, dtype=pl.String if of_type is TEXT else pl.Int64)
    codes = catalogue.codes(series)
    assert codes.dtype == np.int32
    assert codes.tolist() == [catalogue.code(key) for key in wanted]
    assert catalogue.taken(codes[codes >= 0]).to_list() == [key for key in wanted if key in keys]


def test_smaller_integers_and_categories_are_looked_up_by_value() -> None:
    """The type of a column does not have to be that of the keys."""
    assert Catalogue((3, 300)).codes(pl.Series([3, 5, None], dtype=pl.Int8)).tolist() == [0, -1, -1]
    assert Catalogue(("a", "c")).codes(pl.Series(["c", "b"], dtype=pl.Categorical)).tolist() == [1, -1]


def test_a_table_gives_its_keys_once_with_their_words() -> None:
    """Keys rise, the last row of one key counts, null keys are left out, and null words are passed over."""
    rows = pl.DataFrame(
        {
            "id": ["b", "a", None, "b"],
            "name": ["old", None, "none", "new"],
            "size": [1, 2, 3, 4],
        }
    )
    found = Catalogue.of(rows, "id", ("name", "size"))
    assert (found.keys, found.descriptions) == (("a", "b"), ("2", "new, 4"))
    assert Catalogue.of(rows, "id").describe(0) is None


@pytest.mark.parametrize("keys", [(2, 1), (1, 1), ("b", "a")])
def test_keys_rise(keys: tuple[Any, ...]) -> None:
    """An order that is not that of the keys, or a key twice, is no catalogue."""
    with pytest.raises(ValueError, match="rise"):
        Catalogue(keys)


@pytest.mark.parametrize("damage", [b"", b"\x80", "half", "format", "missing"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: bytes | str) -> None:
    """A file that is cut, of another format or not there is E6471."""
    path = tmp_path / "items.safetensors"
    Catalogue(("a", "b"), ("A", "B")).save(path)
    content = path.read_bytes()
    if damage == "half":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "format":
        path.write_bytes(content.replace(b"mlsd catalogue", b"else catalogue"))
    elif isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        path.unlink()
    with pytest.raises(RunError, match=r"E6471.*items\.safetensors"):
        Catalogue.load(path)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"keys.offsets": np.array([0, 1, 9])}, "E6471"),
        ({"keys.offsets": np.array([0, 1, 1])}, "E6471"),
        ({"keys.offsets": np.array([0, 2, 1, 2])}, "E6471"),
        ({"keys.offsets": np.array([0, 2])}, "E6472"),
        ({"keys.offsets": np.array([0.0, 1.0, 2.0])}, "E6471"),
        ({"keys.offsets": np.array([[0, 1, 2]])}, "E6471"),
        ({"keys.bytes": np.array([98, 97], np.uint8)}, "E6472"),
        ({"keys.bytes": np.array([255, 254], np.uint8)}, "E6471"),
        ({"keys.bytes": None}, "E6471"),
        ({"keys.offsets": None}, "E6471"),
        ({"descriptions.offsets": None}, "E6471"),
        ({"descriptions.offsets": np.array([0, 2])}, "E6472"),
        ({"keys": np.array([2, 1])}, "E6472"),
        ({"keys": np.array([1.5, 2.5])}, "E6471"),
        ({"keys": np.array([[1, 2]])}, "E6471"),
    ],
    ids=str,
)
def test_a_file_that_contradicts_itself_is_refused(
    tmp_path: Path, change: dict[str, np.ndarray | None], code: str
) -> None:
    """Arrays that cannot be read as what they are to be are E6471, those that do not fit each other E6472."""
    path = tmp_path / "items.safetensors"
    Catalogue(("a", "b"), ("A", "B")).save(path)
    arrays = {**load_file(path), **change}
    save_file({name: one for name, one in arrays.items() if one is not None}, path, metadata=HEADER)
    with pytest.raises(RunError, match=code):
        Catalogue.load(path)


EVENTS = st.lists(st.tuples(st.sampled_from([1, 3, 5, 7, 9]), st.integers(0, 10**16)), max_size=6)


@given(st.lists(st.one_of(st.none(), EVENTS), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_a_request_has_the_history_it_has_among_many(lists: list[list[tuple[int, int]] | None]) -> None:
    """One request is a batch of one: the same events, oldest first, without unknown items and what is yet to come."""
    catalogue = Catalogue((1, 5, 9))
    at = [10**15 * (3 * number + 1) for number in range(len(lists))]
    items = [None if one is None else [item for item, _ in one] for one in lists]
    times = [None if one is None else [time for _, time in one] for one in lists]
    together = catalogue.histories(
        pl.Series(items, dtype=pl.List(pl.Int64)),
        pl.Series(times, dtype=pl.List(pl.Datetime("us", "UTC"))),
        pl.Series(at).cast(pl.Datetime("us", "UTC")),
        {"age": np.arange(len(lists), dtype=np.float64)},
    )
    assert together.requests == len(lists)
    for number, one in enumerate(lists):
        alone = catalogue.history(items[number] or [], times[number] or [], at[number], {"age": number})
        among = together.request(number)
        known = [
            (catalogue.code(item), time)
            for item, time in reversed(one or [])
            if item not in {3, 7} and time <= at[number]
        ]
        assert list(zip(alone.items.tolist(), alone.times.tolist(), strict=True)) == known
        for name in ("offsets", "items", "times", "at"):
            assert getattr(alone, name).dtype == getattr(among, name).dtype
            assert getattr(alone, name).tolist() == getattr(among, name).tolist()
        assert alone.columns["age"].tolist() == among.columns["age"].tolist()


def test_columns_of_one_request_are_as_columns_of_many() -> None:
    """Numbers and booleans are float64, null is NaN, text stays text."""
    found = Catalogue((1,)).history([], [], 0, {"n": 2, "b": True, "x": None, "t": "häuser"}).columns
    assert {name: column.dtype for name, column in found.items()} == {
        "n": np.float64,
        "b": np.float64,
        "x": np.float64,
        "t": object,
    }
    assert (found["n"][0], found["b"][0], found["t"][0], np.isnan(found["x"][0])) == (2.0, 1.0, "häuser", True)


def test_asking_by_an_item_is_a_history_of_it_alone() -> None:
    """The item was met at the moment of the request; an unknown one leaves the history empty."""
    found = Catalogue(("a", "b")).of_one("b", 7)
    assert (found.items.tolist(), found.times.tolist(), found.at.tolist()) == ([1], [7], [7])
    assert not len(Catalogue(("a", "b")).of_one("c", 7).items)
