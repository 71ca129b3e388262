"""Card fraud on the ULB data: the spec's model beside CatBoost with its defaults, on the same parts, in one run.

    python benchmarks/fraud_ulb.py [--seeds 42 0 1 2 3 4 5 6 7 8 9] [--quick]

The spec is compiled and its generated scripts run, for each seed of the stratified split and for the split by time.
Three models: the spec as it is, where the validation part chooses the number of trees; the same with all 400 trees;
CatBoost as it comes, 1,000 trees on the file's own columns. All learn from train and validation, none sees the test
part. The test part of a stratified split holds 98 frauds, that by time 52: the spread between seeds is much larger
than any difference between settings, so every seed is printed, and mean and standard deviation.
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from catboost import CatBoostClassifier
from measured.project import BuiltProject, build, scored

SPEC = "benchmarks/fraud_ulb.yaml"
OURS = "ours, trees by validation"
FIXED = "ours, all 400 trees"
DEFAULT = "CatBoost's defaults"
BARS = {"stratified": 0.88, "by time": 0.78}
QUICK = ("models.fraud.iterations=20",)

Row = tuple[str, str, str, int, float, float]


def ours(folder: Path, split: str, seed: int | None, changed: Sequence[str]) -> tuple[BuiltProject, Row]:
    """Train the spec's model through its generated script and measure the test part."""
    told = [*changed, *([] if seed is None else [f"models.fraud.split.seed={seed}"])]
    project = build(SPEC, folder, env="by_time" if split == "by time" else None, assignments=told)
    if not project.workspace.dataset.exists():
        project.run("dataset")
    trees = int(project.run("fraud").split()[1])
    found = project.predictions("fraud")
    labels = pl.read_parquet(project.workspace.dataset, columns=["is_fraud"])
    test = scored(labels[found.parts.test], found.score[found.parts.test])
    name = FIXED if "models.fraud.use_best_model=false" in changed else OURS
    return project, _row(split, seed, name, trees, test)


def defaults(project: BuiltProject, split: str, seed: int | None, trees: int) -> Row:
    """Train CatBoost as it comes on the file's own columns, and measure the same test part."""
    columns = ["time", "amount", *(f"V{number}" for number in range(1, 29))]
    frame = pl.read_parquet(project.workspace.dataset, columns=[*columns, "is_fraud"])
    matrix = frame.select(pl.col("time").to_physical(), *columns[1:]).to_numpy().astype(np.float32)
    label = frame["is_fraud"].to_numpy()
    parts = project.predictions("fraud").parts
    learned = np.concatenate([parts.train, parts.validate])
    model = CatBoostClassifier(iterations=trees, random_seed=0, thread_count=2, verbose=0, allow_writing_files=False)
    model.fit(matrix[learned], label[learned])
    return _row(split, seed, DEFAULT, trees, scored(frame[parts.test], model.predict_proba(matrix[parts.test])[:, 1]))


def _row(split: str, seed: int | None, name: str, trees: int, test: dict[str, float]) -> Row:
    found = (split, "" if seed is None else str(seed), name, trees, test["average_precision"], test["roc_auc"])
    print(f"{found[0]:12}{found[1]:>5}  {name:28}{trees:>6}{found[4]:>10.4f}{found[5]:>10.4f}", flush=True)
    return found


def summary(rows: Sequence[Row]) -> None:
    """Print mean and standard deviation of each split and model, and the ratio to the defaults."""
    for split, bar in BARS.items():
        of_split = [row for row in rows if row[0] == split]
        peer = statistics.mean(row[4] for row in of_split if row[2] == DEFAULT)
        for name in (OURS, FIXED, DEFAULT):
            values = [row[4] for row in of_split if row[2] == name]
            spread = f" sd {statistics.stdev(values):.3f}" if len(values) > 1 else ""
            reached = sum(value >= bar for value in values)
            mean = statistics.mean(values)
            ratio = f"{mean / peer:.3f} x the defaults"
            print(f"{split}: {name:28} mean {mean:.4f}{spread}; {reached} of {len(values)} at {bar} or above; {ratio}")


def main() -> None:
    """Measure every split in one project: the training set is the same for all."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[42, *range(10)])
    arguments.add_argument("--quick", action="store_true", help="one seed, few trees, to see that it runs")
    told = arguments.parse_args()
    changed, trees = (QUICK, 20) if told.quick else ((), 1000)
    splits: list[tuple[str, int | None]] = [("by time", None)]
    splits += [("stratified", seed) for seed in (told.seeds[:1] if told.quick else told.seeds)]
    rows: list[Row] = []
    print(f"{'split':12}{'seed':>5}  {'model':28}{'trees':>6}{'test AP':>10}{'test AUC':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for split, seed in splits:
            for more in ((), ("models.fraud.use_best_model=false",)):
                project, row = ours(Path(folder), split, seed, [*changed, *more])
                rows.append(row)
            rows.append(defaults(project, split, seed, trees))
    summary(rows)


if __name__ == "__main__":
    main()
