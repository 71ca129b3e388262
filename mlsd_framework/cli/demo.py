"""Deploy a system, send it real rows of its test part, and print what it decides and why."""

import argparse
import json
import urllib.error
import urllib.request
from typing import Any

from mlsd_framework.cli.deploy import curl, refuse_breaking
from mlsd_framework.cli.main import AT_FAULT, OK
from mlsd_framework.cli.project_options import add_spec, project_of
from mlsd_framework.ir.serving import retrieves
from mlsd_framework.plan.definition import Plan
from mlsd_framework.plan.evaluator import bring
from mlsd_framework.plan.explainer import explain
from mlsd_framework.plan.progress import Progress
from mlsd_framework.plan.project import Project

_SENT = 10
_ITEMS = 5
_TIMEOUT = 5.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_spec(parser)
    parser.add_argument("--requests", type=int, default=_SENT, metavar="N", help="how many real rows to send")


def run(arguments: argparse.Namespace) -> int:
    """Deploy, ask, print."""
    from mlsd_framework.runtime.operations.client import status

    project = project_of(arguments)

    def agree(plan: Plan) -> None:
        refuse_breaking(plan, allowed=False)
        print(explain(plan) if plan.actions else "everything is up to date", flush=True)

    bring(project, Progress(), agree=agree)
    url = status(project.workspace).url
    kept = json.loads((project.workspace.evaluation / "requests.json").read_text())
    answered = [_ask(url, path, _spread(rows, arguments.requests)) for path, rows in kept.items()]
    _metrics(project)
    path, rows = next(iter(kept.items()))
    body = next((row for row in rows if row["label"]), rows[0])["request"]
    token = project.system.environment.token is not None
    pages = [f"{url}/docs", f"{url}/metrics"]
    if any(retrieves(endpoint) for endpoint in project.system.serving):
        pages.insert(0, f"{url}/docs/recommendations")
    print(f"\nreport   {project.workspace.evaluation / 'report.html'}")
    print(f"service  {url}   its pages: {', '.join(pages)}")
    print(f"stop     mlsd stop {project.spec}")
    print(f"try      {curl(url + path, body, token=token)}")
    return OK if all(answered) else AT_FAULT


def _spread(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return `count` rows, half of them positives where there are as many, in their order."""
    positives = [row for row in rows if row["label"]][: count // 2]
    others = [row for row in rows if not row["label"]][: count - len(positives)]
    return [row for row in rows if row in positives or row in others]


def _ask(url: str, path: str, rows: list[dict[str, Any]]) -> bool:
    print(f"\n{len(rows)} rows of the test part, which no model has learned from, sent to POST {path}:\n")
    good = True
    for row in rows:
        body = json.dumps(row["request"]).encode()
        request = urllib.request.Request(f"{url}{path}", body, {"Content-Type": "application/json"})  # noqa: S310 - our own service
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310 - our own service
                answer = json.load(response)
        except urllib.error.HTTPError as fault:
            print(f"  HTTP {fault.code}: {fault.read().decode()[:300]}")
            good = False
            continue
        print(_listed(row["request"], answer) if "items" in answer else _decided(row["label"], answer))
    return good


def _decided(label: object, answer: dict[str, Any]) -> str:
    """Return a decision and its reasons as lines."""
    score = "" if answer["score"] is None else f"{answer['score']:8.2%}"
    reasons = [f"                     {reason['text']}" for reason in answer["reasons"]]
    return "\n".join([f"  {answer['action']:<8}{score}   label: {json.dumps(label)}", *reasons])


def _listed(request: dict[str, Any], answer: dict[str, Any]) -> str:
    """Return a request and the first items of its list as lines."""
    asked = ", ".join(f"{name} {value}" for name, value in request.items())
    items = [
        f"    {place}. {item.get('describe') or item['item']}   ({', '.join(item['sources'])})"
        for place, item in enumerate(answer["items"][:_ITEMS], 1)
    ]
    return "\n".join([f"  {asked}{', of whom nothing is known' if answer['cold_start'] else ''}", *items])


def _metrics(project: Project) -> None:
    """Print every model's metrics on the test part, with their intervals."""
    for path in sorted(project.workspace.evaluation.glob("*.pipeline.metrics.json")):
        found = json.loads(path.read_text())
        stages = {one["name"]: one["values"] for one in found["lists"] if one["role"] == "stage"}
        print(f"\n{found['pipeline']}, {found['requests']:,} requests of the test (95% interval)\n")
        for name, value in next(reversed(stages.values())).items():
            print(f"  {name.replace('_', ' ').replace('@', ' at '):<28} {value['value']:>10,.4g}{_between(value)}")
    for path in sorted(project.workspace.evaluation.glob("*.metrics.json")):
        measured = json.loads(path.read_text()).get("test")
        if measured is None:
            continue
        print(f"\n{path.name.split('.')[0]}, on the test part (95% interval)\n")
        for name, found in measured.items():
            print(f"  {name.replace('_', ' ').replace('@', ' at '):<28} {found['value']:>10,.4g}{_between(found)}")


def _between(found: dict[str, Any]) -> str:
    return f"   {found['low']:,.4g} to {found['high']:,.4g}" if found.get("low") is not None else ""
