"""Start and stop of the application around BentoML's own, and the small housekeeping in between."""

from collections.abc import Awaitable, Callable

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.http import AsgiApp, Message, Receive, Scope, Send


async def lifespan(
    opening: Callable[[], Awaitable[None]],
    closing: Callable[[], None],
    inner: AsgiApp,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Run `opening` when the server starts, then BentoML's start; `closing` when BentoML has stopped.

    A `RunError` of `opening` becomes ASGI's failed start, with its message.
    """
    message = await receive()
    try:
        await opening()
    except RunError as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    first = [message]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    try:
        await inner(scope, replay, send)
    finally:
        closing()
