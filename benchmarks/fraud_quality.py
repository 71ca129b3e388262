"""Card fraud by the published protocol: a random forest beside our trees, over several simulated worlds, in one run.

    python benchmarks/fraud_quality.py [--seeds 0 1 2 3 4] [--quick]

The protocol is that of the Fraud Detection Handbook (https://fraud-detection-handbook.github.io, chapters 3 and 5):
seven days of training from 2018-07-25, seven days of delay, seven days of test, cards already known as defrauded left
out. Each seed is another world of the published process. The spec is compiled, simulated, and its generated scripts
are run; the forest learns from the same training set. One week of one world says little, so means and ranges are
printed, and every seed.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
from measured.project import BuiltProject, build, scored
from sklearn.ensemble import RandomForestClassifier

SPEC = "benchmarks/fraud_handbook.yaml"
METRICS = ("average_precision", "roc_auc", "card_precision@100")
PUBLISHED = {
    "random forest, published": (0.658, 0.867, 0.287),
    "default CatBoost, quoted": (0.660, 0.879, 0.301),
}
FOREST = "random forest, published features"
SAME = "ours, published features"
BETTER = "ours, better features"
SMALL = ("with.customers=1000", "with.terminals=2000", "with.days=145")

Figures = dict[str, float]


def forest(project: BuiltProject) -> Figures:
    """Fit the published random forest (100 trees) to the features that the handbook has, on the same rows."""
    model = next(one for one in project.system.models if one.name == "published_features")
    features = [ref.dotted for ref in model.features]
    data = pl.read_parquet(project.workspace.dataset, columns=[*features, "ts", "card_id", "is_fraud"])
    parts = project.predictions(model.name).parts
    train, test = data[parts.train], data[parts.test]
    learned = RandomForestClassifier(n_estimators=100, random_state=0, n_jobs=2)
    learned.fit(_matrix(train, features), train["is_fraud"].to_numpy())
    return scored(test, learned.predict_proba(_matrix(test, features))[:, 1])


def _matrix(frame: pl.DataFrame, features: list[str]) -> np.ndarray:
    # An empty window is 0 in the handbook.
    return frame.select(pl.col(features).cast(pl.Float32).fill_null(0)).to_numpy()


def measure(folder: Path, seed: int, changed: Iterable[str] = ()) -> dict[str, Figures]:
    """Return the figures of each model in the world of `seed`."""
    settings = [f"with.seed={seed}", *changed]
    assignments = [f"sources.{source}.{one}" for source in ("payments", "chargebacks") for one in settings]
    project = build(SPEC, folder, assignments=assignments)
    for script in ("dataset", "published_features", "fraud"):
        project.run(script)
    said = project.run("evaluate", check=False)
    if not said.startswith("version"):
        print(f"seed {seed}: {said}")
    ours = {SAME: project.test_metrics("published_features"), BETTER: project.test_metrics("fraud")}
    return {FOREST: forest(project), **ours}


def show(worlds: dict[int, dict[str, Figures]]) -> None:
    """Print each seed, then means, ranges, and ratios to the forest of the same run."""
    print(f"\n{'seed':>4}  {'model':36}" + "".join(f"{name:>20}" for name in METRICS))
    for seed, found in worlds.items():
        for model, figures in found.items():
            print(f"{seed:>4}  {model:36}" + "".join(f"{figures[name]:>20.3f}" for name in METRICS))
    print(f"\n{'mean (least to most)':42}" + "".join(f"{name:>24}" for name in METRICS))
    for model, quoted in PUBLISHED.items():
        print(f"{model:42}" + "".join(f"{value:>24.3f}" for value in quoted))
    for model in (FOREST, SAME, BETTER):
        columns = [[found[model][name] for found in worlds.values()] for name in METRICS]
        cells = [f"{statistics.mean(c):.3f} ({min(c):.3f} to {max(c):.3f})" for c in columns]
        print(f"{model:42}" + "".join(f"{cell:>24}" for cell in cells))
    print()
    for model in (SAME, BETTER):
        ratios = [[found[model][name] / found[FOREST][name] for found in worlds.values()] for name in METRICS]
        cells = [f"{statistics.mean(r):.3f} ({min(r):.3f} to {max(r):.3f})" for r in ratios]
        print(f"{'ratio to the forest: ' + model:42}" + "".join(f"{cell:>24}" for cell in cells))
    for name, bar in zip(METRICS, PUBLISHED["random forest, published"], strict=True):
        below = [str(seed) for seed, found in worlds.items() if found[BETTER][name] < bar]
        which = f": {', '.join(below)}" if below else ""
        print(f"{name}: {len(below)} of {len(worlds)} seeds below the published {bar}{which}")


def main() -> None:
    """Measure every seed in a project of its own."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    arguments.add_argument("--quick", action="store_true", help="one small world, to see that it runs")
    told = arguments.parse_args()
    worlds = {}
    for seed in told.seeds[:1] if told.quick else told.seeds:
        with tempfile.TemporaryDirectory() as folder:
            worlds[seed] = measure(Path(folder), seed, SMALL if told.quick else ())
    show(worlds)


if __name__ == "__main__":
    main()
