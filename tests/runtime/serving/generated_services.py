"""The services that the compiler writes for the reference specs, built afresh, and small bundles that fit them."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl

from mlsd_framework.codegen.artefacts import write
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.runtime.serving.bundle import Bundle, write_bundle
from mlsd_framework.runtime.serving.worker import load_service
from mlsd_framework.runtime.training import catboost_file, isolation_forest, trees
from mlsd_framework.targets import artefacts

PROJECT = Path(__file__).parents[3]
CATEGORIES = {"payment.merchant_category": ["a", "b", "grocery"], "payment.channel": ["card_present", "online"]}
NOVELTY = ("amount", "card_activity.payments_1d", "payment.amount_ratio")
THRESHOLDS = {"decide": {"kind": "cost", "thresholds": {"review": 0.3, "decline": 0.95}}}


@dataclass(frozen=True, slots=True)
class GeneratedService:
    """A built service: its file, its module, and a bundle that it serves."""

    path: Path
    module: ModuleType
    bundle: Bundle
    model: Any  # the CatBoost model that the bundle's trees were made from

    @property
    def features(self) -> list[str]:
        """The model's features in order."""
        return [feature.name for feature in self.module.FRAUD_FEATURES]


def build(spec: str, folder: Path, *, iterations: int = 20) -> GeneratedService:
    """Compile `spec`, write its artefacts below `folder`, train a small model and bundle it."""
    compiled = compile_spec(PROJECT / "specs" / spec)
    write(folder, {one.path: one.text for one in artefacts(compiled.system, compiled.registry)})
    path = folder / "service" / "service.py"
    before = list(sys.path)
    try:
        module = load_service(path)
    finally:
        sys.path[:] = before
        sys.modules.pop("service", None)
    names = [feature.name for feature in module.FRAUD_FEATURES]
    model, files = _fraud(folder, names, iterations)
    if "novelty" in (folder / "service" / "service.py").read_text():
        files |= _novelty(folder)
    application = module.APP
    bundle = write_bundle(
        folder / "versions",
        system=application.system,
        spec=application.spec,
        features=application.features,
        files=files | {"thresholds.json": json.dumps(THRESHOLDS).encode()},
    )
    return GeneratedService(path, module, bundle, model)


def again(service: GeneratedService, version: str, changed: Mapping[str, Path | bytes]) -> Bundle:
    """Write the set once more under another version, with some files changed or added."""
    manifest = service.bundle.manifest
    return write_bundle(
        service.bundle.folder.parent,
        system=manifest.system,
        spec=manifest.spec,
        features=manifest.features,
        files={name: service.bundle.file(name) for name in manifest.files} | dict(changed),
        version=version,
    )


def _fraud(folder: Path, names: Sequence[str], iterations: int) -> tuple[Any, dict[str, Path | bytes]]:
    from catboost import CatBoostClassifier, Pool  # noqa: PLC0415 - heavy

    rng = np.random.default_rng(0)
    rows = 800
    frame = pl.DataFrame(
        {
            name: rng.choice(CATEGORIES[name], rows) if name in CATEGORIES else rng.gamma(2, 40, rows).astype("float32")
            for name in names
        }
    )
    categories = [name for name in names if name in CATEGORIES]
    fraud = (frame["payment.amount"] > 150).to_numpy().astype(int)
    fraud[rng.random(rows) < 0.05] = 1
    model = CatBoostClassifier(
        iterations=iterations, depth=4, one_hot_max_size=255, verbose=False, allow_writing_files=False, thread_count=1
    )
    model.fit(Pool(frame, fraud, cat_features=categories))
    catboost_file.save(model, folder / "model.cbm")
    trees.export_trees(folder / "model.cbm", folder / "trees.safetensors", categories=CATEGORIES if categories else {})
    return model, {
        "models/fraud/trees.safetensors": folder / "trees.safetensors",
        "models/fraud/calibration.json": b'{"method": "none"}',
    }


def _novelty(folder: Path) -> dict[str, Path | bytes]:
    rng = np.random.default_rng(1)
    rows = rng.gamma(2, (20, 1, 0.5), (2000, len(NOVELTY))).astype("float32")
    made = folder / "novelty"
    made.mkdir()
    isolation_forest.save(made, isolation_forest.fit(rows, NOVELTY, trees=50), rows)
    return {f"models/novelty/{name}": made / name for name in ("model.onnx", "calibration.json")}
