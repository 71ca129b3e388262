"""The page about retrieval shows what runs."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

PAGE = Path(__file__).parents[3] / "docs" / "retrieval.md"


def run(begins: str, folder: Path) -> str:
    """Run the page's example that begins so, and return what it prints."""
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = (one for one in examples if one.startswith(begins))
    command = [sys.executable, "-c", example]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    """It prints a recall and an NDCG of what it found."""
    recall, ndcg = map(float, run("import numpy as np", tmp_path).split())
    assert 0.5 < recall < 1.0
    assert 0.3 < ndcg < recall


def test_the_log_of_a_service_becomes_impressions(tmp_path: Path) -> None:
    """A row an item shown, in its place, with its propensity and whether it was clicked; other lines are left out."""
    at = "2026-11-02T09:30:00.125+00:00"
    line = {"time": at, "level": "info", "event": "recommendations", "endpoint": "/recommend", "request_id": "a"}
    told = {**line, "items": [17, 4], "propensities": [1.0, 0.02], "weight": 100}
    lines = [{"time": at, "event": "ready"}, told, {**told, "endpoint": "/similar", "request_id": "b"}]
    text = "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in lines)
    (tmp_path / "service.log").write_text(text, encoding="utf-8")
    pl.DataFrame({"request_id": ["a", "b"], "user_id": [1, 2]}).write_parquet(tmp_path / "asked.parquet")
    pl.DataFrame({"request_id": ["a", "a"], "item_id": [4, 4]}).write_parquet(tmp_path / "clicks.parquet")
    run("import polars as pl", tmp_path)
    shown = pl.read_parquet(tmp_path / "views.parquet").sort("place")
    assert shown.select("request_id", "user_id", "item_id", "place", "propensity", "clicked").rows() == [
        ("a", 1, 17, 1, 1.0, False),
        ("a", 1, 4, 2, 0.02, True),
    ]
    assert shown["at"].to_list() == [datetime(2026, 11, 2, 9, 30, 0, 125_000, UTC)] * 2
