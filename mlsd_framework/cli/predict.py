"""`mlsd predict`: asks the running service and prints its answer, or answers a file of requests by its version."""

import argparse
import http.client
import json
import sys
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlsd_framework.cli.project_options import absolute, add_json, add_spec, example, print_json, project_of
from mlsd_framework.diagnostics.errors import PlanError, RunError
from mlsd_framework.plan.progress import Progress
from mlsd_framework.plan.project import Project

if TYPE_CHECKING:
    from mlsd_framework.runtime.operations.status import Status
    from mlsd_framework.runtime.serving.batch import Served

_TIMEOUT_S = 30.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument(
        "--file", metavar="FILE", type=_file, help="the request as JSON, `-` for standard input (default: a real row)"
    )
    asked.add_argument(
        "--batch", metavar="FILE", type=absolute, help="a Parquet file, a row a request, answered without HTTP"
    )
    parser.add_argument(
        "--out", metavar="FILE", type=absolute, help="where a batch's answers go (default: FILE.answers.parquet)"
    )
    parser.add_argument("--endpoint", metavar="PATH", help="which endpoint (default: the first)")
    parser.add_argument("--url", metavar="URL", help="another address than the local service's")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Ask and print; exit 1 where the service refuses the request."""
    project = project_of(options)
    endpoint = options.endpoint or next(iter(project.blueprint.contract), "/")
    if options.batch is not None:
        return _answer_batch(project, endpoint, options)
    payload = _payload(options.file, project, endpoint)
    status, answer = _ask(project, options.url or _url(project), endpoint, payload)
    if options.json:
        print_json(answer)
    else:
        print(
            readable(answer) if status == HTTPStatus.OK else f"{status} {HTTPStatus(status).phrase}\n{readable(answer)}"
        )
    return 0 if status == HTTPStatus.OK else 1


def _answer_batch(project: Project, endpoint: str, options: argparse.Namespace) -> int:
    """Answer a file by the version that serves; exit 0 where every row has an answer, whole or degraded."""
    from mlsd_framework.runtime.serving.batch import answer_file

    out = options.out or options.batch.with_suffix(".answers.parquet")
    served = _served(project)
    with Progress(quiet=options.json).step(f"answer {options.batch.name} at {endpoint}", 1, 1) as step:

        def told(done: int, of: int) -> None:
            step.note = f"{done:,} of {of:,}"

        answered = answer_file(served, endpoint, options.batch, out, told)
        step.said = f"{answered.requests:,} requests, {answered.rows:,} rows, {answered.degraded:,} degraded"
    if options.json:
        print_json({**asdict(answered), "out": str(out)})
    else:
        print(f"version {answered.version}: {out}")
    return 0


def _served(project: Project) -> "Served":
    """Return the version that runs, with the store that it reads."""
    from mlsd_framework.plan.deployment import secret
    from mlsd_framework.runtime.operations.deployment import EmbeddedStore
    from mlsd_framework.runtime.operations.places import changes_folder
    from mlsd_framework.runtime.operations.store import store_url
    from mlsd_framework.runtime.serving.batch import Served

    deployment = _running(project).deployment
    if deployment is None:
        raise _not_running(project, project.blueprint.system)
    store: str | None = None
    if isinstance(deployment.store, EmbeddedStore):
        store = store_url(project.workspace)
    elif deployment.store is not None:
        url = project.system.environment.online_store
        store = secret(url, project.root) if url is not None else deployment.store.url
    changes = changes_folder(project.workspace, deployment.version) if deployment.indexer else None
    return Served(Path(deployment.service), Path(deployment.bundle), store, changes)


def readable(answer: Any, indent: int = 0) -> str:  # noqa: ANN401 - JSON
    """Return an answer one value a line, reasons in their own words."""
    pad = "  " * indent
    if isinstance(answer, dict):
        lines = []
        for name, value in answer.items():
            if isinstance(value, dict | list) and value:
                lines += [f"{pad}{name}:", readable(value, indent + 1)]
            else:
                lines.append(f"{pad}{name}: {_short(value)}")
        return "\n".join(lines)
    if isinstance(answer, list):
        return "\n".join(
            f"{pad}- {_entry(one)}" if isinstance(one, dict) else f"{pad}- {_short(one)}" for one in answer
        )
    return f"{pad}{_short(answer)}"


def _entry(entry: dict[str, Any]) -> str:
    """Return the words of an entry where it has some, else its values."""
    said = [entry[name] for name in ("text", "reason", "message", "what") if isinstance(entry.get(name), str)]
    if said:
        return str(said[0])
    rest = ", ".join(f"{name} {_short(value)}" for name, value in entry.items() if name != "path")
    return f"{entry['path']}: {rest}" if "path" in entry else rest


def _short(value: Any) -> str:  # noqa: ANN401 - JSON
    return f"{value:.6g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)


def _file(text: str) -> str:
    return text if text == "-" else str(absolute(text))


def _payload(file: str | None, project: Project, endpoint: str) -> bytes:
    if file is None:
        found = example(project, endpoint)
        if found is None:
            raise _no_payload("there is no example, since nothing was trained", "give a request with `--file`")
        return json.dumps(found[1]).encode()
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        json.loads(text)
    except (OSError, ValueError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else f"it is not JSON: {fault}"
        raise _no_payload(f"no request can be read from `{file}`: {why}", "give a JSON object") from fault
    return text.encode()


def _no_payload(what: str, cure: str) -> PlanError:
    return PlanError(RunError.of("E5022", what, help=cure).diagnostics)


def _url(project: Project) -> str:
    return _running(project).url


def _running(project: Project) -> "Status":
    from mlsd_framework.runtime.operations import client

    status = client.status(project.workspace)
    if not status.url or status.state in ("stopped", "dead"):
        raise _not_running(project, status.system)
    return status


def _not_running(project: Project, system: str) -> RunError:
    return RunError.of("E6511", f"`{system}` does not run", help=f"`mlsd deploy {project.spec}`")


def _ask(project: Project, url: str, endpoint: str, payload: bytes) -> tuple[int, Any]:
    from mlsd_framework.plan.deployment import secret

    place = urlsplit(url)
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    headers = {"content-type": "application/json"}
    token = project.system.environment.token
    if token is not None:
        headers["authorization"] = f"Bearer {secret(token, project.root)}"
    connection = kind(place.hostname or "", place.port, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", place.path.rstrip("/") + endpoint, body=payload, headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"null")
    except (OSError, ValueError, http.client.HTTPException) as fault:
        error = RunError.of(
            "E5020", f"`{url}{endpoint}` gives no answer: {fault}", help="`mlsd status` says how it runs"
        )
        raise PlanError(error.diagnostics) from fault
    finally:
        connection.close()
