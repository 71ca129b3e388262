"""Plans and deploys the small project with stub scripts and the stub worker, as a process that a test may kill.

`python stubbed.py ROOT train|deploy|plan`. `STUB_WAIT` names a stage that waits, `STUB_FAIL` one that fails, and
`STUB_KILL` kills this process at the N-th file that it renames.
"""

import json
import os
import signal
import sys
from functools import cached_property
from pathlib import Path

import msgspec

from mlsd_framework.plan import evaluator
from mlsd_framework.plan.current_plan import make_plan
from mlsd_framework.plan.deployment import deployment_for
from mlsd_framework.plan.evaluator import bring
from mlsd_framework.plan.progress import Progress
from mlsd_framework.plan.project import Project
from mlsd_framework.runtime.operations import client
from mlsd_framework.runtime.operations.deployment import Deployment

HEAD = """\
import hashlib, json, os, sys, time
from pathlib import Path

ROOT = Path(os.environ["MLSD_PROJECT"])
PLACE = ROOT / ".mlsd" / "small"

def put(path, text, stage):
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.environ.get("STUB_FAIL") == stage:
        sys.exit("the stub fails")
    if os.environ.get("STUB_WAIT") == stage:
        path.write_text("half")
        (ROOT / "waiting").write_text(str(os.getpid()))
        time.sleep(60)
    path.write_text(text)
"""
MODEL = HEAD + 'put(PLACE / "models" / "{name}" / "model.txt", "model", "train {name}")\nprint("{name}: 5 trees")\n'
SCRIPTS = {
    "dataset": HEAD + 'put(PLACE / "dataset.parquet", "rows", "dataset")\nprint("training set: 60 rows")\n',
    "fraud": MODEL.format(name="fraud"),
    "second": MODEL.format(name="second"),
    "features": HEAD
    + 'put(PLACE / "features" / "activity.parquet", "rows", "materialise")\nprint("published 5 rows")\n',
    "verify": HEAD
    + 'put(PLACE / "proof.html", "page", "verify")\nput(PLACE / "proof.json", "{}", "verify")\nprint("proved")\n',
    "evaluate": HEAD
    + 'version = hashlib.sha256((ROOT / "small.yaml").read_bytes()).hexdigest()[:12]\n'
    + 'put(PLACE / "evaluation" / "thresholds.json", "{}", "evaluate")\n'
    + 'put(PLACE / "versions" / version / "bundle.json", json.dumps({"version": version}), "evaluate")\n'
    + 'print(f"version {version}")\n',
}


class Stubbed(Project):
    """The small project with scripts that only leave files; what they mean still comes from the spec."""

    @cached_property
    def files(self) -> dict[str, str]:
        """Return the generated files with stubs for scripts."""
        return {**super().files, **{f"training/{name}.py": text for name, text in SCRIPTS.items()}}


def with_stub_worker(project: Project, version: str, service: Path) -> Deployment:
    """Return the deployment with the stub worker of the supervisor's tests."""
    return msgspec.structs.replace(
        deployment_for(project, version, service), worker_module="supervised_worker", drain_s=2.0
    )


def kill_at(number: int) -> None:
    """End this process the hard way instead of its `number`-th rename."""
    rename, seen = Path.replace, 0

    def counted(path: Path, target: Path) -> Path:
        nonlocal seen
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(path, target)

    Path.replace = counted  # type: ignore[method-assign, assignment]


def main(root: Path, command: str) -> None:
    """Carry out a command and print its plan and the status as JSON."""
    evaluator.deployment_for = with_stub_worker
    if os.environ.get("STUB_KILL"):
        kill_at(int(os.environ["STUB_KILL"]))
    project = Stubbed(root, root / "small.yaml")
    if command == "plan":
        plan, _ = make_plan(project)
    else:
        plan = bring(project, Progress(), until="evaluate" if command == "train" else None)
    status = client.status(project.workspace)
    stages = [one.stage.name for one in plan.actions]
    sys.stdout.write(json.dumps({"stages": stages, "state": status.state, "version": status.version}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
