"""Features of features: what an aggregate reads of another group is what that group says of the event's moment."""

import importlib.util
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

START = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT = pl.Datetime("us", "UTC")


def test_a_second_pass_sees_each_event_as_of_itself(
    built: Callable[[str], dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The generated events hold, beside each payment, the largest of the week before its full hour, and its tier."""
    path = tmp_path / "features.py"
    path.write_text(built("second_pass")["training/features.py"], encoding="utf-8")
    monkeypatch.setenv("MLSD_PROJECT", str(tmp_path))
    spec = importlib.util.spec_from_file_location("second_pass_features", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
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
    events = module.surprise_events(payments, cards)
    largest = []
    for at in times:
        hour = at.replace(minute=0)
        window = [x for t, x in zip(times, amounts, strict=True) if hour - timedelta(days=7) <= t < hour]
        largest.append(max(window, default=None))
    assert largest == [None, None, None, 40.0, 40.0, 8.0]
    shares = [a / b if b is not None else None for a, b in zip(amounts, largest, strict=True)]
    assert events["unusual_value"].to_list() == shares
    assert events["gold_value"].to_list() == [None, None, None, None, True, True]
