"""The place of our application in a BentoML service.

In front of everything that BentoML puts around a request (ADR 3).
"""

from typing import Any, TypeVar

from _bentoml_sdk import Service  # type: ignore[import-untyped]

from mlsd_framework.runtime.serving.application import Application
from mlsd_framework.runtime.serving.http import AsgiApp

ServiceType = TypeVar("ServiceType")

_APPLICATIONS: dict[int, Application] = {}


class FrontedService(Service[Any]):  # type: ignore[misc]  # BentoML ships without types
    """A BentoML service whose ASGI application has ours in front."""

    __slots__ = ()

    def to_asgi(self, is_main: bool = True) -> AsgiApp:  # noqa: FBT001, FBT002 - BentoML's own signature
        """Return BentoML's application behind ours; `bentoml serve` and our worker both call this."""
        inner: AsgiApp = super().to_asgi(is_main=is_main)
        return _APPLICATIONS[id(self)].asgi(inner) if is_main else inner


def put_in_front(application: Application, service: ServiceType) -> ServiceType:
    """Make `service` answer through `application`.

    The class of the same object is changed, because BentoML finds a service in its module by identity, and a middleware
    added the documented way would run inside BentoML's own instead of before them.
    """
    _APPLICATIONS[id(service)] = application
    service.__class__ = FrontedService
    return service
