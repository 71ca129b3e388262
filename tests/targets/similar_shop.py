"""The case `similar` on a small shop whose items come in groups: generated, trained, and a version made."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from mlsd_framework.codegen.artefacts import write
from mlsd_framework.ir.fingerprint import features_fingerprint, system_fingerprint
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.runtime.serving.bundle import write_bundle
from mlsd_framework.runtime.training import requests
from mlsd_framework.runtime.workspace import Workspace
from mlsd_framework.targets import artefacts
from tests.targets.generated_system import ROOT, GeneratedSystem, command

USERS, GROUPS, WIDTH = 120, 4, 6
RUN = "import runpy, sys\nfor script in sys.argv[1:]: runpy.run_path(script, run_name='__main__')"


def items_of(group: int) -> list[str]:
    """Return the keys of the items of a group, which its users buy together."""
    return [f"g{group}-{number}" for number in range(WIDTH)]


def generate(folder: Path) -> GeneratedSystem:
    """Write the project and its data, fit its sources, and make a version of them."""
    (folder / "specs").mkdir(parents=True)
    spec = folder / "specs" / "similar.yaml"
    spec.write_text((ROOT / "tests" / "targets" / "cases" / "similar.yaml").read_text())
    compiled = compile_spec(spec)
    system = compiled.system
    write(folder / "generated" / system.name, {one.path: one.text for one in artefacts(system, compiled.registry)})
    write_data(folder / "data")
    made = GeneratedSystem(folder, system, Workspace(folder / ".mlsd" / system.name), {})
    training = made.generated / "training"
    scripts = [str(training / f"{name}.py") for name in ("catalogue", "popular", "together")]
    made.said["training"] = command([sys.executable, "-c", RUN, *scripts], folder, training, OMP_NUM_THREADS="1")
    requests.write_items(made.workspace, "/similar", items_of(1), "item")
    identity = {"spec": system_fingerprint(system), "features": features_fingerprint(system)}
    root = made.workspace.root
    files = {str(path.relative_to(root)): path for path in root.rglob("*.safetensors")}
    files["requests.json"] = made.workspace.evaluation / "requests.json"
    version = write_bundle(made.workspace.versions, system=system.name, files=files, **identity).version
    made.workspace.current.write_text(version)
    return made


def write_data(folder: Path) -> None:
    """Write forty days of purchases: the user `u` buys of the group `u % GROUPS`, and now and then of another."""
    folder.mkdir()
    draw = np.random.default_rng(5)
    rows = USERS * 40
    users = draw.integers(0, USERS, rows)
    groups = np.where(draw.random(rows) < 0.95, users % GROUPS, draw.integers(0, GROUPS, rows))
    seconds = np.sort(draw.integers(0, 40 * 86_400, rows))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    pl.DataFrame(
        {
            "purchase_id": np.arange(rows),
            "at": [start + timedelta(seconds=int(one)) for one in seconds],
            "user_id": users,
            "item_id": [f"g{group}-{draw.integers(0, WIDTH)}" for group in groups],
        }
    ).write_parquet(folder / "purchases.parquet")
    keys = [key for group in range(GROUPS) for key in items_of(group)] + ["never-bought"]
    pl.DataFrame({"item_id": keys, "title": [f"title of {key}" for key in keys], "in_stock": True}).write_parquet(
        folder / "products.parquet"
    )
