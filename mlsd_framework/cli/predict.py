"""`mlsd predict`: asks the running service and prints its answer for people."""

import argparse
import http.client
import json
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlsd_framework.cli.project_options import absolute, add_json, add_spec, example, print_json, project_of
from mlsd_framework.diagnostics.errors import PlanError, RunError
from mlsd_framework.plan.project import Project

_TIMEOUT_S = 30.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument(
        "--file", metavar="FILE", type=_file, help="the request as JSON, `-` for standard input (default: a real row)"
    )
    parser.add_argument("--endpoint", metavar="PATH", help="which endpoint (default: the first)")
    parser.add_argument("--url", metavar="URL", help="another address than the local service's")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Ask and print; exit 1 where the service refuses the request."""
    project = project_of(options)
    endpoint = options.endpoint or next(iter(project.blueprint.contract), "/")
    payload = _payload(options.file, project, endpoint)
    status, answer = _ask(project, options.url or _url(project), endpoint, payload)
    if options.json:
        print_json(answer)
    else:
        print(
            readable(answer) if status == HTTPStatus.OK else f"{status} {HTTPStatus(status).phrase}\n{readable(answer)}"
        )
    return 0 if status == HTTPStatus.OK else 1


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
    from mlsd_framework.runtime.operations import client

    status = client.status(project.workspace)
    if not status.url or status.state in ("stopped", "dead"):
        raise RunError.of("E6511", f"`{status.system}` does not run", help=f"`mlsd deploy {project.spec}`")
    return status.url


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
