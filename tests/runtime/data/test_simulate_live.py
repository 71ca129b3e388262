"""Live payments go on where the simulation ends: the same world, in order, the same for the same seed."""

from itertools import islice

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.simulate import CardSimulation, simulate_cards
from mlsd_framework.runtime.data.simulate.live import ATTACK_IDS, Attack, LivePayments

SETTINGS = CardSimulation(customers=300, terminals=600, days=20, radius=12.0, rings=3, seed=3, profile="extended")


def days(number: int, attack: Attack | None = None, skipped: int = 0) -> list[pl.DataFrame]:
    """The first days after the log."""
    return list(islice(LivePayments(SETTINGS, attack, skipped=skipped).days(), number))


def test_the_days_follow_the_log_in_order_with_ids_of_their_own() -> None:
    """Times go up from the first midnight after the log; no id is one of the log's, or comes twice."""
    log = simulate_cards(SETTINGS).payments
    live = pl.concat(days(5))
    assert live.schema == log.schema
    assert live["ts"].is_sorted()
    assert live["ts"].dt.truncate("1d").unique().len() == 5
    first = log["ts"].dt.truncate("1d").min()
    assert (live["ts"][0] - first).days == SETTINGS.days
    assert not set(live["payment_id"]) & set(log["payment_id"])
    assert live["payment_id"].n_unique() == live.height


def test_customers_pay_where_they_paid_before() -> None:
    """It is the same world: nearly all pairs of card and terminal have been seen, and the amounts are as they were."""
    log = simulate_cards(SETTINGS)
    genuine = log.payments.join(log.chargebacks.filter(~pl.col("is_fraud")), on="payment_id", how="semi")
    live = pl.concat(days(5))
    seen = live.join(genuine, on=["card_id", "terminal_id"], how="semi").height
    assert seen > 0.7 * live.height
    assert 0.9 < live.height / 5 / (log.payments.height / SETTINGS.days) < 1.1
    assert live["amount"].mean() == pytest.approx(genuine["amount"].mean(), rel=0.1)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_days_whatever_was_left_out() -> None:
    """Two runs agree, and a run that begins later gives the same later days; another seed gives others."""
    for one, other in zip(days(3), days(3), strict=True):
        assert_frame_equal(one, other)
    assert_frame_equal(days(3)[2], days(1, skipped=2)[0])
    different = CardSimulation(**{**{f: getattr(SETTINGS, f) for f in SETTINGS.__slots__}, "seed": 4})
    assert not next(LivePayments(different).days()).equals(days(1)[0])


def test_an_attack_adds_payments_of_one_card_and_changes_no_other() -> None:
    """Forty payments within five minutes at different terminals, in order among the others."""
    quiet, attacked = days(2), days(2, Attack(card=17))
    stolen = attacked[0].filter(pl.col("payment_id") >= ATTACK_IDS)
    assert (stolen.height, stolen["card_id"].unique().to_list()) == (40, [17])
    assert stolen["terminal_id"].n_unique() == 40
    assert (stolen["ts"].max() - stolen["ts"].min()).total_seconds() <= 300  # type: ignore[operator, union-attr]
    assert stolen["ts"].min() >= quiet[0]["ts"][0]  # type: ignore[operator]
    assert attacked[0]["ts"].is_sorted()
    assert_frame_equal(attacked[0].filter(pl.col("payment_id") < ATTACK_IDS), quiet[0])
    assert_frame_equal(attacked[1], quiet[1])


def test_a_card_that_does_not_exist_is_refused() -> None:
    """The message says which there are (E6153)."""
    with pytest.raises(RunError) as raised:
        LivePayments(SETTINGS, Attack(card=300))
    assert raised.value.diagnostics[0].code == "E6153"
    assert "299" in str(raised.value.diagnostics[0].expected)
