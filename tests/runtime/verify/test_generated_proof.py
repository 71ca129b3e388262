"""The generated proof of a system with live groups, tables, vectors and composite keys, as a person runs it."""

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlsd_framework.codegen.artefacts import write
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.targets import artefacts
from tests.targets.generated_system import ROOT, command

pytestmark = pytest.mark.process
UTC = pl.Datetime("us", "UTC")
START = 1_704_067_200_000_000


def _write_data(folder: Path, rows: int = 900) -> None:
    draw = np.random.default_rng(5)
    stamps = np.sort(START + draw.integers(0, 9 * 86_400_000_000, rows))
    late = np.where(draw.random(rows) < 0.1, draw.integers(0, 86_400_000_000, rows), draw.integers(0, 1_000_000, rows))
    pl.DataFrame(
        {
            "payment_id": range(rows),
            "ts": pl.Series(stamps).cast(UTC),
            "written": pl.Series(stamps + late).cast(UTC),
            "card_id": [f"c{at}" for at in draw.integers(0, 9, rows)],
            "merchant_id": [f"m{at}" for at in draw.integers(0, 4, rows)],
            "amount": draw.exponential(40, rows).round(2),
            "country": draw.choice(["DE", "FI"], rows),
            "is_fraud": draw.random(rows) < 0.2,
        }
    ).write_parquet(folder / "payments.parquet")
    begins = START + draw.integers(-86_400_000_000, 7 * 86_400_000_000, 30)
    pl.DataFrame(
        {
            "card_id": [f"c{at % 9}" for at in range(30)],
            "since": pl.Series(begins).cast(UTC),
            "until": pl.Series(
                [int(one) + 86_400_000_000 if at % 4 == 0 else None for at, one in enumerate(begins)]
            ).cast(UTC),
            "written": pl.Series(begins + draw.integers(0, 3_600_000_000, 30)).cast(UTC),
            "tier": draw.choice(["gold", "plain"], 30),
            "embedding": draw.random((30, 4)).astype(np.float32).tolist(),
        }
    ).write_parquet(folder / "cards.parquet")


def test_a_live_system_is_proved(tmp_path: Path) -> None:
    """Its live groups agree in the log, the stream and the store, and its proof says so."""
    (tmp_path / "data").mkdir()
    _write_data(tmp_path / "data")
    compiled = compile_spec(ROOT / "tests" / "targets" / "cases" / "live.yaml")
    made = artefacts(compiled.system, compiled.registry)
    write(tmp_path / "generated" / "live", {one.path: one.text for one in made})
    script = tmp_path / "generated" / "live" / "training" / "verify.py"
    said = command([sys.executable, "-m", "mlsd_framework.runtime.script", str(script), "--rows", "500"], tmp_path)
    assert said.splitlines()[-1].startswith("proved: ")
    proof = json.loads((tmp_path / ".mlsd" / "live" / "proof.json").read_text())
    homes = {one["group"]: set(one["homes"]) for one in proof["parity"]}
    assert homes["velocity"] == homes["places"] == {"offline", "definition", "stream", "request"}
    assert proof["holds"]
    assert (tmp_path / ".mlsd" / "live" / "proof.html").is_file()
