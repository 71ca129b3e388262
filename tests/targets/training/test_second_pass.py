"""Features of features: what an aggregate reads of another group is what that group says of the event's moment."""

import importlib.util
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlsd_framework.runtime.features.offline import window_features
from mlsd_framework.runtime.features.out_of_core import window_features_from

START = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT = pl.Datetime("us", "UTC")


Scripts = Callable[[str], dict[str, str]]


@pytest.fixture
def module(built: Scripts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The generated `features.py`."""
    path = tmp_path / "features.py"
    path.write_text(built("second_pass")["training/features.py"], encoding="utf-8")
    monkeypatch.setenv("MLSD_PROJECT", str(tmp_path))
    spec = importlib.util.spec_from_file_location("second_pass_features", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_second_pass_sees_each_event_as_of_itself(module: Any) -> None:
    """The generated events hold, beside each payment, the largest of the week before its full hour, and its tier."""
    times = [START + timedelta(minutes=m) for m in (0, 30, 59, 61, 200, 60 * 24 * 7 + 90)]
    amounts = [5.0, 9.0, 40.0, 2.0, 8.0, 3.0]
    payments = pl.DataFrame(
        {"payment_id": range(6), "ts": times, "card_id": "c", "merchant_id": "m", "amount": amounts, "is_fraud": False},
        schema_overrides={"ts": MOMENT},
    )
    cards = pl.DataFrame(
        {"card_id": ["c", "c"], "since": [START, START + timedelta(hours=2)], "tier": ["basic", "gold"]},
        schema_overrides={"since": MOMENT},
    )
    events = module.surprise_events(payments.lazy(), cards.lazy()).collect()
    largest = []
    for at in times:
        hour = at.replace(minute=0)
        window = [x for t, x in zip(times, amounts, strict=True) if hour - timedelta(days=7) <= t < hour]
        largest.append(max(window, default=None))
    assert largest == [None, None, None, 40.0, 40.0, 8.0]
    shares = [a / b if b is not None else None for a, b in zip(amounts, largest, strict=True)]
    assert events["unusual_value"].to_list() == shares
    assert events["gold_value"].to_list() == [None, None, None, None, True, True]


def test_a_second_pass_over_a_log_larger_than_memory(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events from a file, with hardly any memory, are those of a log in memory, in its order."""
    number = pl.int_range(3000)
    payments = pl.select(
        payment_id=number,
        ts=(START + number * timedelta(minutes=7)).cast(MOMENT),
        card_id=pl.format("c{}", number * 7 % 50),
        merchant_id=pl.format("m{}", number * 11 % 30),
        amount=(number * 37 % 101).cast(pl.Float64),
        is_fraud=number % 9 == 0,
    )
    cards = pl.DataFrame({"card_id": ["c1", "c1", "c7"], "since": [START] * 3, "tier": ["basic", "gold", "gold"]})
    cards = cards.with_columns(pl.col("since").cast(MOMENT))
    payments.write_parquet(tmp_path / "log.parquet")
    expected = module.surprise_events(payments.lazy(), cards.lazy()).collect()
    monkeypatch.setenv("MLSD_MEMORY", "60000")
    made = module.surprise_events(pl.scan_parquet(tmp_path / "log.parquet"), cards.lazy())
    assert made.collect(engine="streaming").equals(expected)
    rows = payments.filter(pl.col("payment_id") % 3 == 0)
    stored = window_features_from(made, rows, module.SURPRISE_GROUP)
    assert stored.equals(window_features(expected, rows, module.SURPRISE_GROUP))
