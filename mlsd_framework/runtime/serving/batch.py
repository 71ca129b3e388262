"""Requests as rows of a Parquet file, answered by the pipelines of a version without HTTP, in processes of their own.

The pipelines are those of `service.py`, called once a request, so answers are those of the service; nobody waits, so
no stage has a budget.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import MlsdError, RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.serving.application import Answer, Endpoint, Pipeline
from mlsd_framework.runtime.serving.bundle import check_fits, load_bundle
from mlsd_framework.runtime.serving.call import Call, DeadlineError, StageError
from mlsd_framework.runtime.serving.decision import Decision
from mlsd_framework.runtime.serving.store import VARIABLE as STORE
from mlsd_framework.runtime.serving.validation import UnfitError, explain
from mlsd_framework.runtime.serving.worker import application_of, load_service

PROCESSES: Final = 2
_CHUNK: Final = 100  # rows: what progress is told by
_SHOWN: Final = 20  # rows that are no requests
_PATIENCE_S: Final = 60.0
_OF_ANSWERS: Final = (
    "row", "place", "item", "score", "sources", "cold_start", "action", "risk", "reasons", "degraded", "version",
)  # fmt: skip
_ASKED: Final = "request."


@dataclass(frozen=True, slots=True)
class Served:
    """A version and what it needs: the file of its service, its bundle, and the URL of its store where it has one.

    `changes` is the folder of what has changed of its items while it served.
    """

    service: Path
    bundle: Path
    store: str | None = None
    changes: Path | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a batch: how many requests, how many rows were written, how many requests did without a stage."""

    requests: int
    rows: int
    degraded: int
    version: str


def answer_file(
    served: Served, endpoint: str, requests: Path, out: Path, told: Callable[[int, int], None] = lambda _, __: None
) -> Answered:
    """Answer every row of a Parquet file and write the answers to another, at once when all are there.

    Columns are the fields of a request; one that may be left out has its default where it is null or missing. The
    answers' columns are `row`, from 0, and those of the request (as `request.<name>` where an answer has the name too),
    then for recommendations a row an item with `place`, from 1, `item`, `score`, `sources` and `cold_start`, for
    decisions a row a request with `action`, `score`, `risk` and `reasons`; `degraded` and `version` for both. `told`
    is called with how many rows are answered, and of how many.

    Raises RunError: E6436 where rows are no requests, E6437 where one cannot be answered, E6438 where a file cannot be
    read or written; what `out` held before stays.
    """
    rows = _read(requests)
    chunks = [(first, rows.slice(first, _CHUNK)) for first in range(0, max(rows.height, 1), _CHUNK)]
    with ProcessPoolExecutor(min(PROCESSES, len(chunks)), mp_context=get_context("spawn")) as pool:
        _refuse(fault for found in pool.map(partial(_faults, served, endpoint), chunks) for fault in found)
        parts: list[pl.DataFrame] = []
        for made in pool.map(partial(_answers, served, endpoint), chunks):
            if not isinstance(made, pl.DataFrame):
                pool.shutdown(cancel_futures=True)
                raise RunError(made)
            parts.append(made)
            told(min(len(parts) * _CHUNK, rows.height), rows.height)
    answers = pl.concat(parts, how="vertical_relaxed")  # where nothing is recommended, items are of no type
    try:
        with atomic.replacing(out) as part:
            answers.write_parquet(part)
    except OSError as fault:
        raise RunError.of("E6438", f"`{out}` cannot be written: {fault.strerror or fault}") from fault
    lacking = answers.filter(pl.col("degraded").list.len() > 0)["row"].n_unique()
    return Answered(rows.height, answers.height, lacking, load_bundle(served.bundle).version)


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as fault:
        what = f"`{path}` cannot be read as requests: {fault}"
        raise RunError.of("E6438", what, expected="a Parquet file, a row a request") from fault


def _refuse(faults: Iterable[Diagnostic]) -> None:
    """Raise the first faults, with a count of all where there are more."""
    found = iter(faults)
    shown = list(islice(found, _SHOWN))
    if not shown:
        return
    more = sum(1 for _ in found)
    if more:
        shown.append(Diagnostic(code="E6436", what=f"{more:,} more rows are no requests"))
    raise RunError(shown)


@cache
def _opened(served: Served, path: str) -> tuple[Endpoint, Pipeline[Any], str]:
    """Return an endpoint of the version, its pipeline and the version's id; once a process."""
    if served.store is not None:
        os.environ[STORE] = served.store
    application = application_of(load_service(served.service), served.service)
    bundle = load_bundle(served.bundle)
    check_fits(bundle, system=application.system, spec=application.spec, features=application.features)
    endpoint = application.endpoints.get(path)
    if endpoint is None:
        known = ", ".join(f"`{one}`" for one in application.endpoints)
        raise RunError.of("E6436", f"the service has no endpoint `{path}`", expected=f"one of: {known}")
    for stage in endpoint.stages:
        stage.budget = 0.0
    pipeline = endpoint.pipeline(bundle)
    if served.changes is not None:
        application.catch_up(served.changes, bundle.version)
    return endpoint, pipeline, bundle.version


def _faults(served: Served, path: str, chunk: tuple[int, pl.DataFrame]) -> list[Diagnostic]:
    """Return what is wrong with the columns, or with each row of them that is no request."""
    first, rows = chunk
    try:
        endpoint, _, _ = _opened(served, path)
    except MlsdError as fault:
        return list(fault.diagnostics)
    fields = [field.encode_name for field in msgspec.structs.fields(endpoint.request)]
    unknown = [name for name in rows.columns if name not in fields]
    if unknown:
        if first:
            return []  # the first chunk says so
        expected = f"columns among: {', '.join(f'`{name}`' for name in fields)}"
        what = f"the column `{unknown[0]}` is no field of a request for `{path}`"
        return [Diagnostic(code="E6436", what=what, expected=expected)]
    found: list[Diagnostic] = []
    for row, body in enumerate(_bodies(endpoint, rows), first):
        try:
            endpoint.decoder.decode(body)
        except (msgspec.DecodeError, OverflowError):
            found += _explained(row, body, endpoint)
    return found


def _explained(row: int, body: bytes, endpoint: Endpoint) -> Iterator[Diagnostic]:
    try:
        explain(body, endpoint.request, depth=32)
    except UnfitError as unfit:
        first, *others = unfit.faults
        notes = tuple(f"`{one.path}` is {one.got}, expected: {one.expected}" for one in others)
        what = f"row {row:,} is no request for `{endpoint.path}`: `{first.path}` is {first.got}"
        yield Diagnostic(code="E6436", what=what, expected=first.expected, notes=notes)


def _answers(served: Served, path: str, chunk: tuple[int, pl.DataFrame]) -> pl.DataFrame | tuple[Diagnostic, ...]:
    """Return the answers to some rows, or why one of them has none: what a process raises, another cannot read."""
    first, rows = chunk
    endpoint, pipeline, _ = _opened(served, path)
    answers: list[tuple[int, Answer]] = []
    for row, body in enumerate(_bodies(endpoint, rows), first):
        call = Call(f"batch-{row}", time.perf_counter(), _PATIENCE_S)
        try:
            answers.append((row, pipeline(endpoint.decoder.decode(body), call)))
        except (StageError, DeadlineError) as fault:
            late = f"it takes more than {_PATIENCE_S:g} s"
            why = f"stage `{fault.stage}` fails: {fault.__cause__}" if isinstance(fault, StageError) else late
            return (Diagnostic(code="E6437", what=f"row {row:,} cannot be answered: {why}"),)
    asked = rows.rename({name: f"{_ASKED}{name}" for name in rows.columns if name in _OF_ANSWERS})
    asked = asked.with_row_index("row", first).with_columns(pl.col("row").cast(pl.Int64))
    found = _decided(answers) if endpoint.answer is Decision else _recommended(answers)
    return asked.join(found, on="row", how="inner", maintain_order="right")


def _bodies(endpoint: Endpoint, rows: pl.DataFrame) -> Iterator[bytes]:
    """Yield each row as the body of a request; a null is left out of a field that has a default."""
    required = {field.encode_name for field in msgspec.structs.fields(endpoint.request) if field.required}
    for row in rows.iter_rows(named=True) if rows.width else ({} for _ in range(rows.height)):
        yield msgspec.json.encode(
            {name: _wire(value) for name, value in row.items() if value is not None or name in required}
        )


def _wire(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _decided(answers: Iterable[tuple[int, Any]]) -> pl.DataFrame:
    rows = [
        (row, one.action, one.score, one.risk, [reason.text for reason in one.reasons], one.degraded, one.version)
        for row, one in answers
    ]
    return pl.DataFrame(
        rows,
        {
            "row": pl.Int64,
            "action": pl.String,
            "score": pl.Float64,
            "risk": pl.Float64,
            "reasons": pl.List(pl.String),
            "degraded": pl.List(pl.String),
            "version": pl.String,
        },
        orient="row",
    )


def _recommended(answers: Iterable[tuple[int, Any]]) -> pl.DataFrame:
    rows = [
        (row, place, one.item, one.score, one.sources, made.cold_start, made.degraded, made.version)
        for row, made in answers
        for place, one in enumerate(made.items, 1)
    ]
    key = pl.Series([row[2] for row in rows]).dtype
    return pl.DataFrame(
        rows,
        {
            "row": pl.Int64,
            "place": pl.Int64,
            "item": key,
            "score": pl.Float64,
            "sources": pl.List(pl.String),
            "cold_start": pl.Boolean,
            "degraded": pl.List(pl.String),
            "version": pl.String,
        },
        orient="row",
    )
