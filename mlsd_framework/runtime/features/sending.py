"""Sending what is made part by part: the next part is made while the last one is on its way."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Part = TypeVar("_Part")


def send_behind(parts: Iterable[_Part], send: Callable[[_Part], object]) -> None:
    """Send every part in order, one at a time, from a thread of its own; the first failure ends it and is raised."""
    with ThreadPoolExecutor(1) as sender:
        sent: Future[object] | None = None
        for part in parts:
            if sent:
                sent.result()
            sent = sender.submit(send, part)
        if sent:
            sent.result()
