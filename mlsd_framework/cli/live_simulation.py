"""`mlsd data simulate --live`: what happens after the end of the simulated log, sent to the source's stream."""

import argparse
import os
import signal
import sys
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic_core import PydanticCustomError

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.ir.sources import Process, Source
from mlsd_framework.plan.deployment import deployment_for, environment_for
from mlsd_framework.plan.project import Project
from mlsd_framework.spec.quantities import parse_duration, parse_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from mlsd_framework.runtime.data.simulate.live import Attack
    from mlsd_framework.runtime.stream.producing import Add, Event
    from mlsd_framework.runtime.stream.sending import Sending


@dataclass(slots=True)
class _Told:
    """What was sent: when the first and the last of it happened, and how much of it is an attack."""

    first: str = ""
    last: str = ""
    stolen: int = 0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a live simulation."""
    parser.add_argument("--live", action="store_true", help="send what happens after the log to the source's stream")
    parser.add_argument("--rate", type=_rate, default=100.0, metavar="N/s", help="events a second (default: 100/s)")
    parser.add_argument("--for", type=_duration, dest="lasting", metavar="TIME", help="how long, such as 30s")
    parser.add_argument(
        "--after", type=_duration, default=timedelta(0), metavar="DAYS", help="begin so long after the log, such as 5d"
    )
    parser.add_argument("--attack", metavar="card=ID", type=_attacked, help="let thieves use a card at the beginning")
    parser.add_argument("--url", metavar="URL", help="send to the service's POST /events instead of the stream itself")


def run(project: Project, options: argparse.Namespace) -> int:
    """Send until the time is over or Ctrl-C; say what was sent."""
    from mlsd_framework.runtime.data.simulate.live import LivePayments
    from mlsd_framework.runtime.data.simulate.settings import CardSimulation
    from mlsd_framework.runtime.stream.sending import send

    source, process = _live_source(project)
    world = CardSimulation(**dict(process.settings))  # type: ignore[arg-type]  # checked by the settings themselves
    payments = LivePayments(world, options.attack, skipped=options.after // timedelta(days=1))
    add = _receiver(project, source, options.url)
    told = _Told()
    stop = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        events = _events(payments.days(), source, _keys(project, source), told)
        lasting = options.lasting.total_seconds() if options.lasting is not None else None
        done = send(events, add, rate=options.rate, seconds=lasting, stop=stop, shown=_shown)
    finally:
        signal.signal(signal.SIGINT, before)
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
    print(f"{done.sent:,} {source.name} sent in {done.seconds:.1f} s ({done.rate:,.0f}/s)")
    if told.first:
        print(f"they happen from {told.first} to {told.last}")
    if options.attack is not None:
        minutes = options.attack.seconds // 60
        print(f"{told.stolen} of them are the attack on card {options.attack.card}, within {minutes} minutes")
    return 0


def _live_source(project: Project) -> tuple[Source, Process]:
    """Return the simulated source that has a stream."""
    for source in project.system.sources:
        if source.stream is not None and isinstance(source.origin, Process) and source.origin.table == "payments":
            return source, source.origin
    raise RunError.of(
        "E6154",
        f"`{project.system.name}` has no simulated source with a stream",
        expected="a source of `kind: simulated` and `table: payments` with a `stream`",
    )


def _keys(project: Project, source: Source) -> tuple[str, ...]:
    """Return the columns by which the service spreads events over partitions, so that both do the same."""
    keys = [group.key for group in project.system.live if group.source == source.name]
    return keys[0] if keys else source.key


def _receiver(project: Project, source: Source, url: str | None) -> "Add":
    from mlsd_framework.runtime.operations.deployment import StoreAddress
    from mlsd_framework.runtime.operations.store import store_socket, store_url
    from mlsd_framework.runtime.stream.posting import EventPoster
    from mlsd_framework.runtime.stream.producing import writer_of

    environment = environment_for(project)
    if url is not None:
        token = environment.get("MLSD_TOKEN") or os.environ.get("MLSD_TOKEN")
        return EventPoster(url, source.name, token).add
    os.environ.update({name: text for name, text in environment.items() if name.startswith("MLSD_KAFKA_")})
    stream = source.stream
    if stream is None:
        raise AssertionError("a live source has a stream")
    store = deployment_for(project, "none", project.generated / "service").store
    if isinstance(store, StoreAddress):
        return writer_of(stream.name, stream.partitions, store.url)
    if not store_socket(project.workspace).exists():
        raise RunError.of(
            "E6511", f"no store of `{project.system.name}` runs here", help=f"`mlsd deploy {project.spec}` starts it"
        )
    return writer_of(stream.name, stream.partitions, store_url(project.workspace))


def _events(days: "Iterator[pl.DataFrame]", source: Source, keys: tuple[str, ...], told: _Told) -> "Iterator[Event]":
    """Yield events as JSON of the source's columns, each with its key; `told` learns what they are."""
    import msgspec
    from polars import col

    from mlsd_framework.runtime.data.simulate.live import ATTACK_IDS

    named = {one.name: one.file_column or one.name for one in source.columns}
    time = named[str(source.event_time)]
    at = [list(named.values()).index(named[key]) for key in keys]
    encoder = msgspec.json.Encoder()
    for day in days:
        texts = day.with_columns(col(time).dt.strftime("%Y-%m-%dT%H:%M:%SZ")).select(list(named.values()))
        place, number = texts.columns.index(time), texts.columns.index("payment_id")
        for row in texts.iter_rows():
            told.first, told.last = told.first or row[place], row[place]
            told.stolen += row[number] >= ATTACK_IDS
            key = tuple(row[one] for one in at)
            yield (
                repr(key[0] if len(key) == 1 else key).encode(),
                encoder.encode(dict(zip(texts.columns, row, strict=True))),
            )


def _shown(done: "Sending") -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done.sent:,} sent, {done.rate:,.0f}/s")
        sys.stderr.flush()


def _rate(text: str) -> float:
    try:
        found = parse_rate(text)
    except PydanticCustomError as fault:
        raise argparse.ArgumentTypeError(_what(text, fault)) from fault
    if not found:
        raise argparse.ArgumentTypeError(f"`{text}` sends nothing")
    return found


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except PydanticCustomError as fault:
        raise argparse.ArgumentTypeError(_what(text, fault)) from fault


def _what(text: str, fault: PydanticCustomError) -> str:
    return f"`{text}` {fault.message()}; expected: {(fault.context or {}).get('expected')}"


def _attacked(text: str) -> "Attack":
    from mlsd_framework.runtime.data.simulate.live import Attack

    entity, _, number = text.partition("=")
    if entity != "card" or not number.isdigit():
        raise argparse.ArgumentTypeError(f"`{text}` names no card; expected: card=17")
    return Attack(int(number))
