"""The place of our application in a BentoML service.

In front of everything that BentoML puts around a request (ADR 3).
"""

from collections.abc import Callable
from typing import Any, TypeVar

from _bentoml_sdk import Service

from mlsd_framework.runtime.serving.application import Application
from mlsd_framework.runtime.serving.front import FrontDoor
from mlsd_framework.runtime.serving.http import AsgiApp

ServiceType = TypeVar("ServiceType")

_APPLICATIONS: dict[int, Application] = {}


class FrontedService(Service[Any]):  # type: ignore[misc]  # BentoML ships without types
    """A BentoML service whose ASGI application has ours in front."""

    __slots__ = ()

    def to_asgi(self, is_main: bool = True) -> AsgiApp:  # noqa: FBT001, FBT002 - BentoML's own signature
        """Return BentoML's application behind ours; `bentoml serve` and our worker both call this."""
        inner: AsgiApp = super().to_asgi(is_main=is_main)
        return FrontDoor(_APPLICATIONS[id(self)], inner) if is_main else inner


def in_front(application: Application) -> Callable[[ServiceType], ServiceType]:
    """Return a decorator that lets a BentoML service answer through `application`, outside of BentoML's middleware.

    The class of the same object is changed, because BentoML finds a service in its module by identity, and a middleware
    added the documented way would run inside BentoML's own instead of before them.
    """

    def put(service: ServiceType) -> ServiceType:
        _APPLICATIONS[id(service)] = application
        service.__class__ = FrontedService
        return service

    return put
