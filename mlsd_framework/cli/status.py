"""`mlsd status`: how systems run, which version serves, and what it measured."""

import argparse
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from mlsd_framework.cli.project_options import add_json, add_spec, print_json, workspace_of
from mlsd_framework.plan.explainer import duration
from mlsd_framework.plan.project import project_root
from mlsd_framework.plan.state import read_state
from mlsd_framework.runtime.workspace import Workspace

_MICROSECONDS = 1_000_000
_FIGURES = 6
_HOUR, _DAY = 3600, 86_400


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser, optional=True)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the status of one system, or of every system of the project."""
    if options.spec is not None:
        places = [workspace_of(options)]
    else:
        folders = sorted(path for path in (project_root() / ".mlsd").glob("*") if path.is_dir())
        places = [Workspace(path) for path in folders if not path.name.startswith(".")]
    found = [status_of(place) for place in places]
    if options.json:
        print_json(found[0] if options.spec is not None else found)
        return 0
    if not found:
        print("no system has been trained or deployed here")
    for number, one in enumerate(found):
        print(("\n" if number else "") + _text(one))
    return 0


def status_of(place: Workspace) -> dict[str, object]:
    """Return the status of a system as values that JSON has."""
    from mlsd_framework.runtime.operations import client

    status, state = client.status(place), read_state(place)
    newest = state.stages.get("evaluate")
    return {
        "system": place.root.name,
        "state": status.state,
        "version": status.version,
        "url": status.url if status.state not in ("stopped", "dead") else "",
        "since": status.since,
        "restarts": status.restarts,
        "workers": [
            {
                "worker": one.worker,
                "state": one.state,
                "version": one.version,
                "pid": one.process.pid if one.process else None,
                "restarts": one.restarts,
                "since": one.since,
                "last_exit": one.last_exit,
            }
            for one in status.workers
        ],
        "updaters": [
            {
                "updater": one.updater,
                "state": one.state,
                "version": one.version,
                "pid": one.process.pid if one.process else None,
                "restarts": one.restarts,
                "since": one.since,
                "last_exit": one.last_exit,
                "metrics": one.metrics,
            }
            for one in status.updaters
        ],
        "indexers": [
            {
                "state": one.state,
                "version": one.version,
                "pid": one.process.pid if one.process else None,
                "restarts": one.restarts,
                "since": one.since,
                "last_exit": one.last_exit,
                "metrics": one.metrics,
            }
            for one in status.indexers
        ],
        "store": None if status.store is None else {"state": status.store.state, "url": status.store.url},
        "newest_version": newest.version if newest else "",
        "versions": [one.version for one in state.history],
        "metrics": _metrics(place),
    }


def _metrics(place: Workspace) -> dict[str, object]:
    """Return the metrics of the last evaluation on the test part, model by model."""
    found: dict[str, object] = {}
    for path in sorted(place.evaluation.glob("*.metrics.json")):
        try:
            measured = json.loads(path.read_bytes())
            found[path.name.removesuffix(".metrics.json")] = {
                name: one["value"] for name, one in measured["test"].items() if isinstance(one["value"], int | float)
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # an evaluation that was cut off: there is nothing to tell
    return found


def _text(found: dict[str, object]) -> str:
    lines = [f"{found['system']}: {found['state']}"]
    if found["url"]:
        lines.append(f"  url       {found['url']}")
    if found["version"]:
        lines.append(f"  version   {found['version']}")
    if found["newest_version"] and found["newest_version"] != found["version"]:
        lines.append(f"  newest    {found['newest_version']}, not deployed")
    since = found["since"]
    if isinstance(since, int) and since and found["url"]:
        begun = datetime.fromtimestamp(since / _MICROSECONDS, UTC)
        lines.append(f"  since     {begun:%Y-%m-%d %H:%M:%S} UTC ({_long(time.time() - since / _MICROSECONDS)})")
    lines += _processes(found, "worker")
    lines += _processes(found, "updater")
    lines += _processes(found, "indexer")
    store = found["store"]
    if isinstance(store, dict):
        lines.append(f"  store     {store['state']}")
    metrics = found["metrics"]
    for model, values in metrics.items() if isinstance(metrics, dict) else ():
        figures = ", ".join(f"{name} {value:.4g}" for name, value in list(values.items())[:_FIGURES])
        lines.append(f"  {model:<9} {figures} (test part, version {found['newest_version']})")
    return "\n".join(lines)


def _processes(found: dict[str, object], kind: str) -> Iterator[str]:
    processes = found[f"{kind}s"]
    for one in processes if isinstance(processes, list) else []:
        restarts = f", {one['restarts']} restarts" if one["restarts"] else ""
        ended = f", last: {one['last_exit']}" if one["last_exit"] else ""
        shown = f", metrics {one['metrics']}" if one.get("metrics") else ""
        name = f"{kind} {one[kind]}" if kind in one else kind
        yield f"  {name:<9} {one['state']}, pid {one['pid']}{restarts}{ended}{shown}"


def _long(seconds: float) -> str:
    if seconds < _HOUR:
        return duration(seconds)
    if seconds < _DAY:
        return f"{seconds / _HOUR:.1f} h"
    return f"{seconds / _DAY:.1f} days"
