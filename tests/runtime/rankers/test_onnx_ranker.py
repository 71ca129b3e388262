"""What is served: torch's scores of columns as a service has them, without torch; and what is wrong with it."""

import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.rankers.columns import encoded
from mlsd_framework.runtime.rankers.export import export
from mlsd_framework.runtime.rankers.module import Network
from mlsd_framework.runtime.rankers.onnx_ranker import ENCODING, GRAPH, OnnxRanker
from mlsd_framework.runtime.tabular.encoding import RowEncoding, Vocabulary
from mlsd_framework.runtime.tabular.features import Category, Given, LastItems, Number
from mlsd_framework.runtime.tabular.rows import Rows
from tests.runtime.rankers.conftest import LENGTH, Trained

ROOT = Path(__file__).resolve().parents[3]
FEATURES = (Number("n"), Category("text", "t"), Category("code", "c"), LastItems("last", "c", 3), Given("vector", 2))
ENCODED = RowEncoding(FEATURES, {"t": Vocabulary(4, ("a", "b")), "c": Vocabulary(4, (0, 2, 3, 9))}, {"n": (1.5, 2.0)})
NUMBERS = st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(float("inf")))
CODES = st.one_of(st.none(), st.integers(0, 12))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "n": NUMBERS,
            "text": st.sampled_from(["a", "b", "c", "", None]),
            "code": CODES,
            "last": st.lists(st.integers(0, 12), max_size=5),
            "vector": st.one_of(st.none(), st.lists(st.floats(-9, 9, width=32), min_size=2, max_size=2)),
        }
    ),
    max_size=5,
)


def _columns(rows: list[dict[str, Any]]) -> list[Any]:
    """Return rows as a service has them: arrays, last items from the newest on."""
    nan = float("nan")
    lists = np.full((len(rows), 5), -1, np.int32)
    for place, row in enumerate(rows):
        lists[place, : len(row["last"])] = row["last"][::-1]
    return [
        np.array([nan if row["n"] is None else row["n"] for row in rows], np.float64),
        np.array([row["text"] for row in rows], object),
        np.array([nan if row["code"] is None else row["code"] for row in rows], np.float64),
        lists,
        np.array([row["vector"] or [nan, nan] for row in rows], np.float32).reshape(len(rows), 2),
    ]


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_columns_are_encoded_as_frames_are(rows: list[dict[str, Any]]) -> None:
    """Nulls, unseen values and short lists included, to the bit; one row alone is what `encode_one` has."""
    types = {
        "n": pl.Float64,
        "text": pl.String,
        "code": pl.Int64,
        "last": pl.List(pl.Int64),
        "vector": pl.List(pl.Float32),
    }
    frame = ENCODED.encode(pl.DataFrame(rows, schema=types))
    found = encoded(ENCODED, _columns(rows), len(rows))
    assert np.array_equal(found.codes, frame.codes)
    assert np.array_equal(found.values, frame.values)
    for row in rows[:1]:
        one = ENCODED.encode_one(row)
        last = np.array([*row["last"][::-1], -1, -1, -1], np.int32)
        shared = encoded(ENCODED, [row["n"], row["text"], row["code"], last, row["vector"]], 3)
        assert np.array_equal(shared.codes, np.repeat(one.codes, 3, axis=0))
        assert np.allclose(shared.values, np.repeat(one.values, 3, axis=0))


@pytest.mark.parametrize("columns", [[1.0], [np.zeros(3), None, None, np.full(3, -1), None], ["x"] * 5])
def test_columns_that_do_not_fit_are_refused(columns: list[Any]) -> None:
    """Too few columns, another length, and text in the place of a number are an error of ours."""
    with pytest.raises(RunError, match="E6453"):
        encoded(ENCODED, columns, 2)


@pytest.mark.parametrize("network", get_args(Network))
def test_the_exported_ranker_gives_the_scores_of_torch(
    trained: Trained, rows: pl.DataFrame, tmp_path: Path, network: Any
) -> None:
    """Columns, nulls and unseen categories among them, differ from torch by less than 1e-5, and no rows give none."""
    module, _ = trained(network, epochs=1)
    export(module, module.encoding.encode(rows.tail(600)), tmp_path)
    ranker = OnnxRanker.load(tmp_path / GRAPH)
    part = rows.tail(500)
    columns = [
        part["price"].to_numpy(),
        np.array(part["group"].to_list(), object),
        "never seen",
        part["item"].to_numpy(),
        np.array(part["history"].to_list(), np.int32)[:, ::-1],
    ]
    with torch.no_grad():
        frame = part.with_columns(user_group=pl.lit("never seen"))
        expected = module(*Rows.of(module.encoding.encode(frame))).numpy()
    found = ranker.score(columns, 500)
    assert np.abs(found - expected).max() < 1e-5
    assert np.ptp(found) > 0.01
    nothing = ranker.score([np.zeros(0), None, None, np.zeros(0, np.int32), np.zeros((0, LENGTH), np.int32)], 0)
    assert nothing.shape == (0,)
    assert np.isfinite(ranker.score([None, None, None, None, np.full(LENGTH, -1)], 2)).all()


def test_an_export_that_differs_is_refused(trained: Trained, rows: pl.DataFrame, tmp_path: Path) -> None:
    """Scores that are not torch's are an error, not a model."""
    module, _ = trained("dlrm", epochs=1)
    module.network.register_forward_hook(
        lambda _, __, scores: scores if torch.onnx.is_in_onnx_export() else scores + 1e-3
    )
    with pytest.raises(RunError, match="E6335"):
        export(module, module.encoding.encode(rows.head(8)), tmp_path)


def test_a_damaged_ranker_is_named(trained: Trained, rows: pl.DataFrame, tmp_path: Path) -> None:
    """A file that is missing or no model is an error of ours."""
    module, _ = trained("dlrm", epochs=1)
    export(module, module.encoding.encode(rows.head(8)), tmp_path)
    (tmp_path / GRAPH).write_bytes(b"no model")
    with pytest.raises(RunError, match="E6455"):
        OnnxRanker.load(tmp_path / GRAPH)
    (tmp_path / ENCODING).unlink()
    with pytest.raises(RunError, match="E6455"):
        OnnxRanker.load(tmp_path / GRAPH)


def test_serving_a_ranker_loads_neither_torch_nor_polars(trained: Trained, rows: pl.DataFrame, tmp_path: Path) -> None:
    """A process that loads a ranker and asks it has not imported them."""
    module, _ = trained("sequence", epochs=1)
    export(module, module.encoding.encode(rows.head(8)), tmp_path)
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from mlsd_framework.runtime.rankers.onnx_ranker import OnnxRanker\n"
        f"OnnxRanker.load(Path({str(tmp_path / GRAPH)!r})).score([None, 'g1', 'u1', 3, np.full(6, -1)], 4)\n"
        "print(sorted({'torch', 'pytorch_lightning', 'polars'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
