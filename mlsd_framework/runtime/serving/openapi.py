"""The OpenAPI 3.1 description of a service, made from its types."""

from typing import Any

import msgspec

from mlsd_framework.runtime.serving.application import Application, Endpoint
from mlsd_framework.runtime.serving.decision import Decision
from mlsd_framework.runtime.serving.event_door import PartlyTaken, Taken
from mlsd_framework.runtime.serving.event_source import EventSource
from mlsd_framework.runtime.serving.http import ErrorAnswer
from mlsd_framework.runtime.serving.recommendations import Recommendations

_ANSWERS = {
    Decision: "The decision and its reasons.",
    Recommendations: "The items, best first; with the header `x-mlsd-trace: 1` also how they were found.",
}
_OF_EVENTS = ("400", "401", "408", "413", "415")
_REFUSALS = {
    "400": "The body is not JSON.",
    "401": "The token is missing or wrong.",
    "408": "The request did not arrive in time.",
    "413": "The body is too large.",
    "415": "The body is not declared as JSON.",
    "422": "The request does not fit its type; all faults are listed.",
    "429": "Requests come too fast; wait as `Retry-After` says.",
    "503": "The service is overloaded, or a stage it needs has failed; wait as `Retry-After` says.",
    "504": "The answer was not ready in time.",
}


def openapi(application: Application) -> dict[str, Any]:
    """Return the description of `application`, as data."""
    endpoints = application.endpoints.values()
    types = [endpoint.request for endpoint in endpoints]
    made = [endpoint.answer for endpoint in endpoints]
    events = [source.event for source in application.sources.values()]
    schemas, components = msgspec.json.schema_components(
        [*types, *made, *events, Taken, PartlyTaken, ErrorAnswer], ref_template="#/components/schemas/{name}"
    )
    *described_types, taken, partly, error = schemas
    number = len(types)
    requests, answers, sent = (
        described_types[:number],
        described_types[number : 2 * number],
        described_types[2 * number :],
    )
    paths = {
        endpoint.path: {"post": _operation(endpoint, request, answer, error)}
        for endpoint, request, answer in zip(endpoints, requests, answers, strict=True)
    }
    paths |= {
        source.path: {"post": _taking(source, event, taken, partly, error)}
        for source, event in zip(application.sources.values(), sent, strict=True)
    }
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": application.system, "version": application.version or "0"},
        "paths": paths,
        "components": {"schemas": components},
    }
    if application.access.required:
        described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"token": []}]
    return described


def _operation(
    endpoint: Endpoint, request: dict[str, Any], answer: dict[str, Any], error: dict[str, Any]
) -> dict[str, Any]:
    refusals = {status: _answer(text, error) for status, text in _REFUSALS.items()}
    shown: dict[str, Any] = {"example": dict(endpoint.example)}
    extension: dict[str, Any] = {}
    if endpoint.answer is Recommendations:
        shown = {"examples": {str(n): {"value": dict(one)} for n, one in enumerate(endpoint.examples, 1)}}
        feedback = [msgspec.to_builtins(one) for one in endpoint.feedback]
        extension = {"x-mlsd-recommendations": {"user": endpoint.user, "feedback": feedback}}
    return {
        "operationId": endpoint.path.strip("/").replace("/", "_"),
        "summary": endpoint.summary,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": request, **shown}},
        },
        "responses": {"200": _answer(_ANSWERS[endpoint.answer], answer), **refusals},
        **extension,
    }


def _taking(
    source: EventSource, event: dict[str, Any], taken: dict[str, Any], partly: dict[str, Any], error: dict[str, Any]
) -> dict[str, Any]:
    refusals = {status: _answer(text, error) for status, text in _REFUSALS.items() if status in _OF_EVENTS}
    several = {"type": "array", "items": event}
    return {
        "operationId": source.path.strip("/").replace("/", "_"),
        "summary": f"Adds events of {source.source} to their stream: one, or a list.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"oneOf": [event, several]}, "example": dict(source.example)}},
        },
        "responses": {
            "202": _answer("Every event is in the stream.", taken),
            **refusals,
            "422": _answer("Some events do not fit their type and were not taken; the others were.", partly),
            "503": _answer("The stream does not take events; wait as `Retry-After` says and send them again.", error),
        },
    }


def _answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
