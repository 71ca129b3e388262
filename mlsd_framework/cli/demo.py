"""Deploy a system, send it real rows of its test part, and print what it decides and why."""

import argparse
import json
import shlex
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from mlsd_framework.cli.main import AT_FAULT, OK
from mlsd_framework.cli.specs import add_spec, find_spec

_SENT = 12
_TIMEOUT = 5.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_spec(parser)
    parser.add_argument("--requests", type=int, default=_SENT, metavar="N", help="how many real rows to send")


def run(arguments: argparse.Namespace) -> int:
    """Deploy, ask, print."""
    from mlsd_framework.cli import deploy
    from mlsd_framework.plan.compilation import compile_spec
    from mlsd_framework.runtime.operations.client import status
    from mlsd_framework.runtime.workspace import Workspace

    parser = argparse.ArgumentParser()
    deploy.configure(parser)
    overlays = [f"--env={arguments.env}"] if arguments.env else []
    overlays += [f"--set={one}" for one in arguments.assignments]
    if deploy.run(parser.parse_args([arguments.spec, *overlays])) != OK:
        return AT_FAULT
    system = compile_spec(find_spec(arguments.spec), environment=arguments.env, assignments=arguments.assignments).system
    workspace = Workspace(Path(".mlsd") / system.name)
    url = status(workspace).url
    kept = json.loads((workspace.evaluation / "requests.json").read_text())
    for path, rows in kept.items():
        _ask(url, path, _spread(rows, arguments.requests))
    _close(url, arguments.spec, kept, workspace)
    return OK


def _spread(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return `count` rows, half of them positives where there are as many, in their order."""
    positives = [row for row in rows if row["label"]][: count // 2]
    others = [row for row in rows if not row["label"]][: count - len(positives)]
    return [row for row in rows if row in positives or row in others]


def _ask(url: str, path: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{len(rows)} real rows that no model has seen, sent to POST {path}:\n")
    for row in rows:
        request = urllib.request.Request(f"{url}{path}", json.dumps(row["request"]).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310 - the URL of our own service
                answer = json.load(response)
        except urllib.error.HTTPError as fault:
            print(f"  HTTP {fault.code}: {fault.read().decode()[:300]}")
            continue
        truth = "fraud" if row["label"] is True else "genuine" if row["label"] is False else str(row["label"])
        score = "" if answer["score"] is None else f"{answer['score']:7.1%}"
        print(f"  {answer['action']:<8} {score}  (truth: {truth})")
        for reason in answer["reasons"]:
            print(f"             {reason['text']}")


def _close(url: str, spec: str, kept: dict[str, list[dict[str, Any]]], workspace: Any) -> None:
    path, rows = next(iter(kept.items()))
    body = json.dumps(next((row for row in rows if row["label"]), rows[0])["request"])
    report = next(iter(sorted(workspace.evaluation.glob("*report.html"))), None)
    print(f"\nreport   {report}")
    print(f"service  {url} (its pages: {url}/docs, {url}/metrics)")
    print(f"try      curl -s {url}{path} -H 'Content-Type: application/json' -d {shlex.quote(body)}")
    print(f"stop     mlsd stop {spec}")
