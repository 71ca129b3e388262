"""From nothing running to a service that answers: `mlsd deploy` of a trained, stopped system, whole processes.

    python benchmarks/ready.py [--runs 5] [--quick]

The system is trained once in a temporary project, with few trees, which a service loads as it does many. Then it is
stopped and deployed again: what is timed is the command from its start until it returns, which it does when the service
has said that it is ready: the command line, the plan that finds nothing stale, the supervisor, the store where the
system has one, the worker with its bundle. The command's own part, `mlsd plan`, stands beside it.
"""

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from measured.processes import MLSD
from measured.project import ROOT, environment

BAR = 3.0
SMALL = {
    "benchmarks/fraud_ulb.yaml": ["models.fraud.iterations=30"],
    "fraud.yaml": [
        "models.fraud.iterations=30",
        "models.novelty.trees=20",
        *(f"sources.{source}.with.customers=500" for source in ("payments", "chargebacks")),
        *(f"sources.{source}.with.terminals=1000" for source in ("payments", "chargebacks")),
    ],
}  # fmt: skip


def run(project: Path, *words: str) -> float:
    """Run one command in `project` and return its seconds; raises RuntimeError with what it printed."""
    env = environment() | {"PYTHONPYCACHEPREFIX": str(project / "pyc"), "PYTHONDONTWRITEBYTECODE": ""}
    start = time.perf_counter()
    done = subprocess.run([*MLSD, *words], cwd=project, env=env, capture_output=True, text=True, check=False)
    took = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"mlsd {' '.join(words)}: {done.stderr.strip()}")
    return took


def main() -> None:
    """Measure each reference system."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--quick", action="store_true", help="one system, once")
    told = arguments.parse_args()
    for spec, smaller in list(SMALL.items())[: 1 if told.quick else None]:
        changed = [*smaller, "environments.local.port=0", "models.fraud.gates=[]"]
        sets = [word for one in changed for word in ("--set", one)]
        with tempfile.TemporaryDirectory() as name:
            project = Path(name)
            shutil.copytree(ROOT / "specs", project / "specs")
            command = [f"specs/{spec}", *sets]
            try:
                first = run(project, "deploy", *command, "--yes")
                ready, planned = [], []
                for _ in range(1 if told.quick else told.runs):
                    planned.append(run(project, "plan", *command))
                    run(project, "stop", *command)
                    ready.append(run(project, "deploy", *command, "--yes"))
            finally:
                run(project, "stop", *command)
        print(
            f"{spec}: trained and ready in {first:.1f} s; stopped to ready least {min(ready):.2f} s,"
            f" median {statistics.median(ready):.2f} s (bar {BAR:.0f} s), of which `mlsd plan` is"
            f" {statistics.median(planned):.2f} s"
        )


if __name__ == "__main__":
    main()
