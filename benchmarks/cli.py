"""The command line's own time: whole processes beside a bare Python, `feast version` and `bentoml --help`.

    python benchmarks/cli.py [--runs 10] [--quick]

The commands take turns. `validate` and `build` get the largest spec of `specs/`; `plan` gets a system that was built
and whose plan finds the rest as it was. What a command cannot do here says its exit status instead.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from measured.processes import MLSD, PASS, in_turns
from measured.project import ROOT

BARS = {"mlsd --help": 150, "mlsd validate": 250, "mlsd build": 500, "mlsd plan": 300}
PEERS = {
    "feast version": [sys.executable, "-c", "from feast.cli.cli import cli; cli()", "version"],
    "bentoml --help": [sys.executable, "-c", "from bentoml_cli.cli import cli; cli()", "--help"],
}


def largest() -> Path:
    """Return the largest spec, relative to the project."""
    return max((ROOT / "specs").rglob("*.yaml"), key=lambda path: path.stat().st_size).relative_to(ROOT)


def main() -> None:
    """Measure in a copy of the specs, so that nothing of the project is written."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=10)
    arguments.add_argument("--quick", action="store_true", help="one run, no peers")
    told = arguments.parse_args()
    spec = largest()
    commands = {
        "python -c pass": PASS,
        "mlsd --help": [*MLSD, "--help"],
        "mlsd validate": [*MLSD, "validate", str(spec)],
        "mlsd build": [*MLSD, "build", str(spec)],
        "mlsd plan": [*MLSD, "plan", str(spec)],
        **({} if told.quick else PEERS),
    }
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        shutil.copytree(ROOT / "specs", project / "specs")
        found = in_turns(commands, 1 if told.quick else told.runs, cwd=project, pyc=Path(folder) / "pyc")
    lines = sum(1 for _ in (ROOT / spec).open())
    print(f"largest spec: {spec}, {lines} lines")
    for name, times in found.items():
        print(times.line(name, beside=found["python -c pass"], bar=BARS.get(name)))
    for peer in PEERS:
        if peer in found and not found[peer].status:
            ratio = statistics.median(found[peer].wall) / statistics.median(found["mlsd --help"].wall)
            print(f"{peer} takes {ratio:.0f} x the time of mlsd --help")


if __name__ == "__main__":
    main()
