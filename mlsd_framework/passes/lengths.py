"""Lengths of time in messages, as a spec writes them."""

from datetime import timedelta


def write_length(length: timedelta) -> str:
    """Return `7d`, `36h`, `50ms`: the largest unit that divides the length."""
    for size, unit in (("days", "d"), ("hours", "h"), ("minutes", "m"), ("seconds", "s"), ("milliseconds", "ms")):
        whole = timedelta(**{size: 1})
        if length % whole == timedelta(0):
            return f"{length // whole}{unit}"
    return f"{length // timedelta(microseconds=1)}us"
