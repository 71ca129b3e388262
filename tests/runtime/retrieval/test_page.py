"""The page about retrieval shows what runs."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "retrieval.md"


def test_the_example_of_the_page_runs() -> None:
    """It prints a recall and an NDCG of what it found."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    recall, ndcg = map(float, done.stdout.split())
    assert 0.5 < recall < 1.0
    assert 0.3 < ndcg < recall
