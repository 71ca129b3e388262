"""Proves a system: what its generated `verify.py` runs. Writes `proof.json` and its report, and fails where it must."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.files import source_files
from mlsd_framework.runtime.training.parts import HoldOut, Moments
from mlsd_framework.runtime.verify import coverage, fingerprints, proof, report
from mlsd_framework.runtime.verify.candidate_leakage import candidate_leakage
from mlsd_framework.runtime.verify.coverage import FeatureCoverage
from mlsd_framework.runtime.verify.expressions import expressions_hold
from mlsd_framework.runtime.verify.held_out_leakage import held_out_leakage
from mlsd_framework.runtime.verify.homes.spark import spark_home
from mlsd_framework.runtime.verify.homes.store import temporary_store
from mlsd_framework.runtime.verify.impression_leakage import impression_leakage
from mlsd_framework.runtime.verify.leakage import Leakage, leakage
from mlsd_framework.runtime.verify.parity import GroupParity, compared, homes_of
from mlsd_framework.runtime.verify.proof import Proof
from mlsd_framework.runtime.verify.sampling import sampled
from mlsd_framework.runtime.verify.subject import Candidates, Subject
from mlsd_framework.runtime.workspace import Workspace

ROWS = 2000


def main(subject: Subject, workspace: Workspace, root: Path, arguments: Sequence[str] | None = None) -> None:
    """Prove a system, write the proof and its report, and raise `RunError` (E6701 to E6703) where it does not hold."""
    parser = argparse.ArgumentParser(
        description="Prove that every feature has one value and nothing comes from the future."
    )
    parser.add_argument("--rows", type=int, default=ROWS, help="about how many questions to ask of each group")
    parser.add_argument("--spark", action="store_true", help="compute on Spark too, on this machine")
    options = parser.parse_args(arguments)
    found = prove(subject, root, rows=options.rows, spark=options.spark)
    proof.write(workspace.proof, found)
    report.write(workspace.proof_report, found)
    faults = found.faults()
    if faults:
        raise RunError(faults)
    print(found.summary())  # noqa: T201 - the record of a generated script's run


def prove(subject: Subject, root: Path, *, rows: int = ROWS, spark: bool = False) -> Proof:
    """Return the proof of a system; `root` is the project's folder, below which its data lies."""
    begun = time.monotonic()
    covered: list[FeatureCoverage] = []
    compared_groups: list[GroupParity] = []
    if subject.stored:
        for result, exercised in _stored(subject, rows, spark=spark):
            compared_groups.append(result)
            covered += exercised
    leaks: Leakage | None = None
    if subject.examples is not None:
        print("making the training set with rows from the future", file=sys.stderr, flush=True)  # noqa: T201 - the record of a generated script's run
        leaks, examples = leakage(subject, subject.examples)
        if subject.expressions is not None:
            result, exercised = _expressions(subject, examples, rows)
            compared_groups.append(result)
            covered += exercised
    if subject.candidates is not None:
        leaks = _candidates(subject, subject.candidates)
    files = {file.path for log in subject.logs for file in source_files(log.table, root)}
    return Proof(
        subject.system,
        datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        round(time.monotonic() - begun, 1),
        rows,
        {
            "definitions": subject.definitions,
            "features": subject.features,
            "runtime": fingerprints.runtime_fingerprint(),
            "data": fingerprints.data_fingerprint(files),
        },
        compared_groups,
        leaks,
        covered,
    )


def _candidates(subject: Subject, candidates: Candidates) -> Leakage:
    match candidates.parts:
        case Moments():
            print("retrieving at a moment of the past with rows from its future", file=sys.stderr, flush=True)  # noqa: T201 - the record of a generated script's run
            result = candidate_leakage(subject, candidates, candidates.parts)
            if candidates.shown is not None:
                print("making examples of what was shown with rows from their future", file=sys.stderr, flush=True)  # noqa: T201 - the record of a generated script's run
                impression_leakage(subject, candidates, candidates.shown, candidates.parts, result)
            return result
        case HoldOut():
            print("retrieving with what is held out changed", file=sys.stderr, flush=True)  # noqa: T201 - the record of a generated script's run
            return held_out_leakage(subject, candidates, candidates.parts)


def _stored(subject: Subject, rows: int, *, spark: bool) -> Iterator[tuple[GroupParity, list[FeatureCoverage]]]:
    with temporary_store() as url, spark_home(wanted=spark) as (on_spark, absent):
        for stored in subject.stored:
            print(f"asking every home of `{stored.name}`", file=sys.stderr, flush=True)  # noqa: T201 - the record of a generated script's run
            sample = sampled(subject, stored, rows)
            homes = homes_of(stored, url) | ({"spark": on_spark} if on_spark is not None else {})
            result, _ = compared(sample, homes)
            result.absent = {"spark": absent} if absent else {}
            yield result, coverage.coverage_of(sample)


def _expressions(subject: Subject, examples: pl.DataFrame, rows: int) -> tuple[GroupParity, list[FeatureCoverage]]:
    if subject.expressions is None or subject.examples is None:
        raise TypeError(subject.system)
    print("computing requests in both homes", file=sys.stderr, flush=True)  # noqa: T201 - the record of a generated script's run
    table = subject.log(subject.examples.source).table
    result, nulls = expressions_hold(subject.expressions, examples, table, rows)
    return result, coverage.coverage_of_expressions(subject.expressions, nulls, result.questions)
