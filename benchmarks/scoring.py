"""Compiled trees beside CatBoost and ONNX Runtime: 500 trees of depth 6 on 30 features, timed in turns in one run.

Run from the repository's root: `python benchmarks/scoring.py [--rounds N]`. Each figure is the median of its rounds;
only the ratios mean anything.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from catboost import CatBoostClassifier, Pool
from skl2onnx import to_onnx

sys.path.insert(0, str(Path(__file__).parents[1]))

from mlsd_framework.runtime.serving.onnx import OnnxModel
from mlsd_framework.runtime.serving.trees import CompiledTrees
from mlsd_framework.runtime.training import isolation_forest
from mlsd_framework.runtime.training.trees import export_trees

FEATURES, TREES, DEPTH = 30, 500, 6
PEER, ONNX, OURS = "CatBoost", "ONNX Runtime", "compiled"
Contenders = dict[str, Callable[[], object]]


def alternate(title: str, contenders: Contenders, rounds: int, calls: int) -> None:
    """Time the contenders in turns; print the median microseconds of a call, and ratios to the compiled trees."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            start = time.perf_counter()
            for _ in range(calls):
                call()
            times[name].append((time.perf_counter() - start) / calls * 1e6)
    found = {name: statistics.median(values) for name, values in times.items()}
    figures = "  ".join(f"{name} {value:.1f} us" for name, value in found.items())
    ratios = "  ".join(f"{name} / {OURS} = {value / found[OURS]:.1f}x" for name, value in found.items() if name != OURS)
    print(f"{title:<17}{figures:<62}{ratios}")


def first_score(trees: Path) -> float:
    """Return the seconds from the start of a new process to its first score, with the kernels in the cache."""
    program = (
        "from pathlib import Path; from mlsd_framework.runtime.serving.trees import CompiledTrees\n"
        f"CompiledTrees.load(Path({str(trees)!r})).score([0.5] * {FEATURES})"
    )
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[1])
    return time.perf_counter() - start


def main() -> None:
    """Train, export, check that the scores agree, and time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41)
    rounds = parser.parse_args().rounds
    draw = np.random.default_rng(0)
    data = draw.normal(size=(5000, FEATURES))
    label = (data[:, 0] + data[:, 1] * data[:, 2] + draw.normal(size=len(data)) > 1).astype(int)
    model = CatBoostClassifier(iterations=TREES, depth=DEPTH, verbose=0, allow_writing_files=False, thread_count=2).fit(
        data.copy(), label
    )
    with tempfile.TemporaryDirectory() as folder:
        cbm, onnx, file = Path(folder) / "m.cbm", Path(folder) / "m.onnx", Path(folder) / "trees.safetensors"
        model.save_model(str(cbm))
        model.save_model(str(onnx), format="onnx")
        export_trees(cbm, file)
        trees = CompiledTrees.load(file)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(onnx.read_bytes(), options, providers=["CPUExecutionProvider"])
        print(f"new process to first score, warm cache: {statistics.median(first_score(file) for _ in range(5)):.2f} s")
    time_rows(model, trees, session, data, rounds)
    time_explanations(model, trees, data, rounds)
    time_novelty(rounds)


def time_rows(
    model: CatBoostClassifier,
    trees: CompiledTrees,
    session: onnxruntime.InferenceSession,
    data: np.ndarray,
    rounds: int,
) -> None:
    """Time probabilities of one row, from a Python sequence, and of blocks; every CatBoost call on one thread."""
    row, single = tuple(data[0].tolist()), data[:1].astype(np.float32)
    values = list(row)
    assert trees.raw(row) == model.predict(values, prediction_type="RawFormulaVal")
    contenders: Contenders = {
        PEER: lambda: model.predict_proba(values, thread_count=1),
        ONNX: lambda: session.run(["probabilities"], {"features": single}),
        OURS: lambda: trees.score(row),
    }
    alternate("1 row", contenders, rounds, 100)
    for count in (10, 100, 1000):
        # CatBoost makes the array that it is given read-only.
        block, theirs, floats = data[:count].copy(), data[:count].copy(), data[:count].astype(np.float32)
        assert np.array_equal(trees.raw_batch(block), model.predict(theirs, prediction_type="RawFormulaVal"))
        blocks: Contenders = {
            PEER: lambda theirs=theirs: model.predict_proba(theirs, thread_count=1),
            ONNX: lambda floats=floats: session.run(["probabilities"], {"features": floats}),
            OURS: lambda block=block: trees.score_batch(block),
        }
        alternate(f"{count} rows", blocks, rounds, max(3, 2000 // count))


def time_novelty(rounds: int) -> None:
    """Time one row of a forest of 200 trees: our graph of one node, and the one that skl2onnx writes."""
    rows = np.random.default_rng(0).normal(size=(5000, 10)).astype(np.float32)
    fitted = isolation_forest.fit(rows, [f"f{i}" for i in range(10)], trees=200)
    theirs = to_onnx(fitted.pipeline, rows[:1], target_opset={"": 17, "ai.onnx.ml": 3})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "theirs.onnx").write_bytes(theirs.SerializeToString())
        isolation_forest.save(path, fitted, rows)
        peer = OnnxModel.load(path / "theirs.onnx", output="scores")
        ours = OnnxModel.load(path / "model.onnx")
    row = tuple(rows[0].tolist())
    assert abs(0.5 - 2 ** ours.score(row) - peer.score(row)) < 1e-4
    alternate("isolation forest", {"skl2onnx": lambda: peer.score(row), OURS: lambda: ours.score(row)}, rounds, 30)


def time_explanations(model: CatBoostClassifier, trees: CompiledTrees, data: np.ndarray, rounds: int) -> None:
    """Time SHAP values of one row: CatBoost recomputes its tables at each call."""
    pool, row = Pool(data[:1].copy()), tuple(data[0].tolist())
    found = model.get_feature_importance(pool, type="ShapValues", thread_count=1)[0]
    assert np.abs(trees.explain(row).values - found[:-1]).max() < 1e-9
    contenders: Contenders = {
        PEER: lambda: model.get_feature_importance(pool, type="ShapValues", thread_count=1),
        OURS: lambda: trees.explain(row),
    }
    alternate("SHAP of 1 row", contenders, rounds, 3)


if __name__ == "__main__":
    main()
