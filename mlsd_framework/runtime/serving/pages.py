"""What a service answers to GET: probes, metrics, its description and the pages that show it."""

from collections.abc import Callable
from importlib.resources import files

import msgspec

from mlsd_framework.runtime.serving.application import Application
from mlsd_framework.runtime.serving.openapi import openapi
from mlsd_framework.runtime.serving.recommendations import Recommendations
from mlsd_framework.runtime.serving.telemetry import FORMAT

Page = tuple[int, bytes, bytes]

# What needs no token: the pages themselves show nothing, and what they load needs it.
OPEN = frozenset({"/healthz", "/livez", "/readyz", "/docs", "/docs/recommendations"})
_JSON = b"application/json"


def pages(application: Application) -> dict[str, Callable[[], Page]]:
    """Return the pages by path; each gives status, content type and body."""

    def alive() -> Page:
        return 200, _JSON, b'{"alive":true}'

    def ready() -> Page:
        fit = application.started and not application.draining
        state = {"ready": fit, "version": application.version, "worker": application.telemetry.worker}
        return 200 if fit else 503, _JSON, msgspec.json.encode(state)

    def metrics() -> Page:
        return 200, FORMAT.encode(), application.telemetry.text()

    def description() -> Page:
        return 200, _JSON, msgspec.json.encode(openapi(application))

    def docs() -> Page:
        return _html("docs.html")

    def recommendations() -> Page:
        return _html("recommendations.html")

    found: dict[str, Callable[[], Page]] = {
        "/healthz": alive,
        "/livez": alive,
        "/readyz": ready,
        "/metrics": metrics,
        "/openapi.json": description,
        "/docs": docs,
    }
    if any(endpoint.answer is Recommendations for endpoint in application.endpoints.values()):
        found["/docs/recommendations"] = recommendations
    return found


def _html(name: str) -> Page:
    return 200, b"text/html; charset=utf-8", files(__package__).joinpath(name).read_bytes()
