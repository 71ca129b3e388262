"""`mlsd verify`: proves one value of every feature in each of its homes, and a training set that nothing leaks into."""

import argparse
import json
from pathlib import Path
from typing import Any

from mlsd_framework.cli.project_options import absolute, add_json, add_spec, print_json, project_of
from mlsd_framework.diagnostics.errors import PlanError, RunError
from mlsd_framework.plan.evaluator import bring
from mlsd_framework.plan.progress import Progress
from mlsd_framework.plan.project import Project
from mlsd_framework.plan.proving import FINDINGS
from mlsd_framework.plan.verification import prove

_ROWS = 2000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument(
        "--rows", type=_positive, default=None, metavar="N", help=f"questions to ask of each group (about {_ROWS})"
    )
    parser.add_argument("--spark", action="store_true", help="compute on Spark too, on this machine")
    parser.add_argument("--again", action="store_true", help="prove again though nothing has changed")
    parser.add_argument("--report", metavar="FILE", type=absolute, help="copy the report to a file")
    parser.add_argument("--open", action="store_true", help="show the report in a browser")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Prove what has changed since the last proof; exit 1 where it fails, whatever the spec overrides."""
    project = project_of(options)
    progress = Progress(quiet=options.json)
    # Examples of a ranker are retrieved anew, of the items that there are.
    bring(project, progress, until="catalogue" if project.blueprint.stage("catalogue") is not None else "build")
    stage = project.blueprint.stage("verify")
    if stage is None:
        error = RunError.of("E5025", f"`{project.blueprint.system}` has neither stored features nor a training set")
        raise PlanError(error.diagnostics)
    arguments = ["--rows", str(options.rows or _ROWS), *(["--spark"] if options.spark else [])]
    again = options.again or options.spark or options.rows is not None
    fault: RunError | None = None
    try:
        prove(project, progress, stage, arguments, again=again)
    except RunError as found:
        fault = found
    said = _proof(project)
    _share(project.workspace.proof_report, options.report, show=options.open)
    if options.json:
        print_json(said if fault is None or said else {"mlsd": 1, "holds": False})
        return 0 if fault is None else 1
    if fault is not None:
        print(f"report: {project.workspace.proof_report}")
        findings = [one for one in fault.diagnostics if one.code in FINDINGS]
        raise RunError(findings or fault.diagnostics)
    print(_summary(said))
    print(f"report: {project.workspace.proof_report}")
    return 0


def _summary(proof: dict[str, Any]) -> str:
    values = sum(one["values"] for one in proof.get("parity", []))
    homes = sorted({home for one in proof.get("parity", []) for home in one["homes"]})
    absent = {home: why for one in proof.get("parity", []) for home, why in one["absent"].items()}
    leakage = proof.get("leakage") or {"rows": 0, "plants": []}
    plants = sum(one["rows"] for one in leakage["plants"])
    lines = [
        f"{proof.get('system')}: proved on {proof.get('when')}",
        f"  parity    {values:,} values are the same in every home ({', '.join(homes) or 'none'})",
        f"  leakage   {leakage['rows']:,} rows stay the same against {plants:,} planted or changed rows",
        *([f"            {leakage['sample']}"] if leakage.get("sample") else []),
        f"  coverage  {len(proof.get('coverage', []))} features met every case that they can meet",
        *(f"  {home}: not asked, {why}" for home, why in absent.items()),
    ]
    return "\n".join(lines)


def _proof(project: Project) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(project.workspace.proof.read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def _share(report: Path, to: Path | None, *, show: bool) -> None:
    if to is not None and report.is_file():
        from mlsd_framework.runtime import atomic

        atomic.write_text(to, report.read_text())
    if show and report.is_file():
        import webbrowser

        webbrowser.open((to or report).as_uri())


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
