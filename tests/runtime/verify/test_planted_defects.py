"""Honest: a defect is planted into each home, and the proof finds it and names it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from mlsd_framework.runtime.features import sql
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.windows import WindowGroup
from mlsd_framework.runtime.verify.coverage import coverage_of
from mlsd_framework.runtime.verify.expressions import expressions_hold
from mlsd_framework.runtime.verify.homes import live_store, offline, store, stream
from mlsd_framework.runtime.verify.homes.offline import Answers
from mlsd_framework.runtime.verify.leakage import leakage
from mlsd_framework.runtime.verify.parity import GroupParity, compared
from mlsd_framework.runtime.verify.proof import Proof
from mlsd_framework.runtime.verify.sampling import MOMENT, Sample, sampled
from mlsd_framework.runtime.verify.subject import Row
from tests.runtime.verify.conftest import Asked
from tests.runtime.verify.shop import DAILY, NOW, PAYMENTS, examples, frames, subject

pytestmark = pytest.mark.process


def blamed(found: GroupParity) -> set[str]:
    """Return the homes that do not agree with the first."""
    named = {home for one in found.differences for home in list(one.values)[1:]}
    assert named == set(found.against)
    return named


def test_an_edge_that_is_off_by_one(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the training set's windows begin a microsecond late, every other home says so, at the edges."""
    real = offline.window_features

    def late(events: pl.DataFrame, queries: pl.DataFrame, group: WindowGroup, *, time: str) -> pl.DataFrame:
        narrower = tuple(None if one is None else one - timedelta(microseconds=1) for one in group.windows)
        return real(
            events, queries, replace(group, windows=narrower, labels=("a", "b", "c")[: len(narrower)]), time=time
        )

    monkeypatch.setattr(offline, "window_features", late)
    for name, homes in (("now", {"definition", "stream", "request"}), ("daily", {"definition"})):
        found, _ = asked(name)
        assert not found.holds
        assert homes <= blamed(found)
        first = found.differences[0]
        assert first.feature.startswith(f"{name}.")
        assert set(first.entity) == {"card_id"}
        assert len(first.values) == 2
    now, _ = asked("now")
    assert {one.case for one in now.differences} & {"edge of 30m", "edge of 1d"}


def test_a_stream_that_drops_both_of_two_duplicates(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """A micro-batch in which an event stands twice must leave one of it."""
    real = stream.feed

    def careless(group: Any, frame: pl.DataFrame, ingest_time: str | None) -> Any:
        return real(group, frame.unique("payment_id", keep="none", maintain_order=True), ingest_time)

    monkeypatch.setattr(stream, "feed", careless)
    found, _ = asked("now")
    assert blamed(found) == {"stream"}


def test_a_stream_that_counts_duplicates(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that comes again in a later batch counts once."""
    real = stream.feed
    seen: list[int] = []

    def forgetful(group: Any, frame: pl.DataFrame, ingest_time: str | None) -> Any:
        seen.append(1)
        fresh = frame.with_columns(payment_id=pl.col("payment_id") + f"-{len(seen)}")
        return real(group, fresh, ingest_time)

    monkeypatch.setattr(stream, "feed", forgetful)
    found, _ = asked("now")
    assert blamed(found) == {"stream"}


def test_a_request_that_is_finished_at_another_moment(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state read at the right time and finished a second early is another value."""
    real = OnlineStore.read

    def early(self: OnlineStore, asked: Sequence[Any], timeout: float | None = None, at: int = 0) -> Any:
        return real(self, asked, timeout, at - 1_000_000)

    monkeypatch.setattr(live_store.OnlineStore, "read", early)
    found, _ = asked("now")
    assert blamed(found) == {"request"}


def test_rows_of_an_older_refresh(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that were computed as of the refresh before are not what training saw."""
    real = store.materialise_all

    def stale(groups: Any, as_of: datetime) -> Any:
        return real(groups, as_of=as_of - timedelta(hours=1))

    monkeypatch.setattr(store, "materialise_all", stale)
    for name in ("daily", "card"):
        found, _ = asked(name)
        assert blamed(found) == {"request"}


def test_a_wall_clock_taken_for_a_moment() -> None:
    """A home that shifts every moment by its time zone, as Spark does where it is not told, is found."""
    shop = subject()
    sample = sampled(shop, shop.stored[0], 300)

    def shifted(sample: Sample) -> Answers:
        hours = pl.col(MOMENT) + 9 * 3_600_000_000
        return offline.offline(replace(sample, questions=sample.questions.with_columns(hours)))

    found, _ = compared(sample, {"offline": offline.offline, "spark": shifted})
    assert blamed(found) == {"spark"}
    assert found.against["spark"] > 100


def test_an_expression_that_differs() -> None:
    """A comparison that the service makes and training does not, and a fault that only the service has."""

    def other(row: Row) -> None:
        row["payment.night"] = sql.hour(row["ts"]) <= 6
        row["payment.share"] = row["amount"] / row["now.spend_1d"]

    shop = subject(request=other)
    assert shop.expressions is not None
    found, _ = expressions_hold(shop.expressions, examples(*(one.lazy() for one in frames())), PAYMENTS, 400)
    assert {one.feature for one in found.differences} == {"payment.night", "payment.share"}
    assert any("Error" in str(one.values["request"]) for one in found.differences)


@pytest.mark.parametrize(
    ("sees", "column"),
    [
        pytest.param({"daily": replace(DAILY, delay=timedelta(0))}, "daily.frauds_1d", id="labels too early"),
        pytest.param({"now": replace(NOW, ingest_time=None)}, "now.payments_30m", id="rows before they are written"),
    ],
)
def test_a_definition_that_leaks(sees: dict[str, WindowGroup], column: str) -> None:
    """A group that sees labels before they are known, or rows before they are written, changes the past."""
    shop = subject(make=lambda *made: examples(*made, **sees))
    assert shop.examples is not None
    found, _ = leakage(shop, shop.examples)
    assert not found.holds
    assert column in {one.column for one in found.leaks}
    assert {one.column.partition(".")[0] for one in found.leaks} <= {*sees, "payment"}


def test_a_training_set_that_peeks() -> None:
    """A statistic over the whole log is from the future."""

    def peeking(*made: pl.DataFrame) -> pl.DataFrame:
        return examples(*made).with_columns(pl.col("amount").mean().over("card_id").alias("mean"))

    shop = subject(make=peeking)
    assert shop.examples is not None
    found, _ = leakage(shop, shop.examples)
    assert {one.column for one in found.leaks} == {"mean"}
    assert found.leaks[0].before != found.leaks[0].after


def test_a_training_set_that_loses_rows() -> None:
    """A row that is gone when the future changes has leaked as well."""

    def losing(*made: pl.DataFrame) -> pl.DataFrame:
        return examples(*made).filter(pl.col("amount") * 2 >= pl.col("amount").median())

    shop = subject(make=losing)
    assert shop.examples is not None
    found, _ = leakage(shop, shop.examples)
    assert found.leaks[0].column == "(row)"


def test_a_case_that_was_not_met(proved: Proof) -> None:
    """Without questions at the edges of a window its feature is not proved there, and the proof fails."""
    shop = subject()
    sample = sampled(shop, shop.stored[0], 600)
    quiet = sample.questions.filter(pl.col("__case") != "edge of 30m")
    found = coverage_of(replace(sample, questions=quiet))
    missing = {one.feature: one.missing for one in found if one.missing}
    assert missing["now.payments_30m"] == ["inside the edge"]
    faults = replace(proved, coverage=found).faults()
    assert [one.code for one in faults] == ["E6703"]
    assert "now.payments_30m" in faults[0].what


def test_faults_name_entity_moment_feature_and_values(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, proved: Proof
) -> None:
    """What a person reads says which card, when, which feature, and what each home says."""
    real = offline.window_features
    monkeypatch.setattr(
        offline,
        "window_features",
        lambda events, queries, group, *, time: real(events, queries, group, time=time).with_columns(
            pl.col(f"{group.aggregates[0].name}_1d") + 1
        ),
    )
    found, _ = asked("now")
    [fault] = replace(proved, parity=[found]).faults()
    assert fault.code == "E6701"
    assert "`now.payments_1d` of card_id=" in fault.notes[0]
    assert "offline: " in fault.notes[0]
