"""The card simulation follows the published process and its rules, seed by seed."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mlsd_framework.runtime.data.simulate import CardSimulation, Simulated, simulate_cards
from mlsd_framework.runtime.data.simulate.population import Customers, Terminals, find_reach

SMALL = {"customers": 300, "terminals": 600, "days": 50, "radius": 12.0, "rings": 6}


@cache
def simulated(profile: str) -> Simulated:
    """One small simulation, made once."""
    return simulate_cards(CardSimulation(**SMALL, profile=profile, seed=3))  # type: ignore[arg-type]


def labelled(simulation: Simulated) -> pl.DataFrame:
    """Payments with their verdicts and days."""
    verdicts = simulation.chargebacks.select("payment_id", "is_fraud", "scenario", "reported_at")
    return simulation.payments.join(verdicts, on="payment_id", how="left", maintain_order="left").with_columns(
        day=pl.col("ts").dt.truncate("1d")
    )


def in_hands(simulation: Simulated, scenario: str, column: str) -> pl.DataFrame:
    """Payments whose card or terminal was compromised at their moment, each once."""
    compromises = simulation.compromises.filter(scenario=scenario).select(
        pl.col("number").alias(column), "starts", "ends"
    )
    joined = labelled(simulation).join(compromises, on=column)
    return joined.filter(pl.col("ts").is_between("starts", "ends", closed="left")).unique("payment_id")


def test_payments_are_numbered_in_order_of_time() -> None:
    """Payments are ordered by time and numbered from 0, without nulls, inside the period, at whole seconds."""
    payments = simulated("extended").payments
    assert payments["ts"].is_sorted()
    assert payments["payment_id"].to_list() == list(range(payments.height))
    assert payments.null_count().sum_horizontal().item() == 0
    assert str(payments["ts"].min()) >= "2018-04-01"
    assert str(payments["ts"].max()) < "2018-05-21"
    assert payments.schema["ts"] == pl.Datetime("us", "UTC")


def test_every_payment_has_a_verdict_a_week_later() -> None:
    """There is one verdict a payment, reported seven days after it, with the payment's card and terminal."""
    simulation = simulated("extended")
    late = labelled(simulation)
    assert (late["reported_at"] - late["ts"]).unique().to_list() == [late["reported_at"][0] - late["ts"][0]]
    assert (late["reported_at"][0] - late["ts"][0]).days == 7
    assert_frame_equal(
        simulation.payments.select("payment_id", "card_id", "terminal_id"),
        simulation.chargebacks.select("payment_id", "card_id", "terminal_id"),
    )


def test_payments_carry_no_label() -> None:
    """Nothing in the payments frame tells what only the verdict knows."""
    assert not {"is_fraud", "scenario"} & set(simulated("extended").payments.columns)


@pytest.mark.parametrize("profile", ["handbook", "extended"])
def test_customers_pay_within_their_radius(profile: str) -> None:
    """A payment's terminal lies within the radius of its customer; only rings break this."""
    simulation = simulated(profile)
    places = (
        labelled(simulation)
        .join(simulation.customers.select("card_id", "x", "y"), on="card_id")
        .join(simulation.terminals.select("terminal_id", tx="x", ty="y"), on="terminal_id")
        .with_columns(distance=((pl.col("x") - pl.col("tx")) ** 2 + (pl.col("y") - pl.col("ty")) ** 2).sqrt())
    )
    assert places.filter(pl.col("scenario") != "ring")["distance"].max() < SMALL["radius"]
    assert (places.filter(scenario="ring").height > 0) == (profile == "extended")


@pytest.mark.parametrize("profile", ["handbook", "extended"])
def test_large_amounts_are_fraud(profile: str) -> None:
    """Scenario 1: every payment above 220 EUR is fraud, and those marked for it are above."""
    payments = labelled(simulated(profile))
    assert payments.filter(pl.col("amount") > 220)["is_fraud"].all()
    assert payments.filter(scenario="large_amount")["amount"].min() > 220
    assert payments.filter(pl.col("is_fraud") != (pl.col("scenario") != "genuine")).is_empty()


@pytest.mark.parametrize("profile", ["handbook", "extended"])
def test_compromised_terminals_yield_only_fraud(profile: str) -> None:
    """Scenario 2: all payments at a terminal in its 28 days are fraud, and the mark appears nowhere else."""
    exposed = in_hands(simulated(profile), "compromised_terminal", "terminal_id")
    assert exposed.height > 0
    assert exposed["is_fraud"].all()
    marked = labelled(simulated(profile)).filter(scenario="compromised_terminal")
    assert marked.join(exposed, on="payment_id", how="anti").is_empty()
    spans = simulated(profile).compromises.filter(scenario="compromised_terminal")
    assert (spans["ends"] - spans["starts"]).dt.total_days().unique().to_list() == [28]
    assert spans.group_by("starts").len()["len"].unique().to_list() == [2]
    assert spans["starts"].n_unique() == SMALL["days"] - 1


def test_compromised_cards_lose_a_third() -> None:
    """Scenario 3: three cards a day; about a third of their payments of 14 days become fraud, elsewhere none."""
    simulation = simulated("handbook")
    exposed = in_hands(simulation, "compromised_card", "card_id")
    marked = labelled(simulation).filter(scenario="compromised_card")
    assert marked.join(exposed, on="payment_id", how="anti").is_empty()
    assert 0.25 < marked.height / exposed.height < 0.45
    spans = simulation.compromises.filter(scenario="compromised_card")
    assert (spans["ends"] - spans["starts"]).dt.total_days().unique().to_list() == [14]
    assert spans.group_by("starts").len()["len"].unique().to_list() == [3]


def test_leaked_cards_pay_five_times_as_much() -> None:
    """Fraud on leaked cards is 5, 25 ... times what the same seed draws without leaks; nothing else differs."""
    before = simulate_cards(CardSimulation(**SMALL, seed=3, cards_compromised=0)).payments  # type: ignore[arg-type]
    after = labelled(simulated("handbook"))
    ratio = after.with_columns(ratio=pl.col("amount") / before["amount"]).filter(before["amount"] > 1)
    assert ratio.filter(pl.col("scenario") != "compromised_card")["ratio"].unique().to_list() == [1.0]
    powers = np.log(ratio.filter(scenario="compromised_card")["ratio"].to_numpy()) / np.log(5)
    assert np.all(np.abs(powers - np.round(powers)) < 0.01)
    assert powers.min() > 0.9


def test_rings_share_devices_and_terminals() -> None:
    """A ring's fraud is online, by its members in its days, over shared devices and at most four terminals."""
    simulation = simulated("extended")
    members = simulation.compromises.filter(scenario="ring").select(
        pl.col("number").alias("card_id"), "starts", "ends", "ring"
    )
    fraud = labelled(simulation).filter(scenario="ring")
    owned = pl.concat([simulation.customers["device_id"], simulation.customers["second_device_id"].drop_nulls()])
    assert fraud["channel"].unique().to_list() == ["online"]
    assert not fraud["device_id"].is_in(owned.implode()).any()
    joined = fraud.join(members, on="card_id").filter(pl.col("ts").is_between("starts", "ends", closed="left"))
    assert joined["payment_id"].n_unique() == fraud.height
    by_device = fraud.group_by("device_id").agg(
        pl.col("terminal_id").n_unique().alias("terminals"), pl.col("card_id").n_unique().alias("cards")
    )
    assert by_device["terminals"].max() <= 4
    assert by_device["cards"].max() >= 3


def test_handbook_has_no_rings_and_the_same_payments() -> None:
    """The profile changes only what fraudsters do: genuine payments are the same in both."""
    plain, extended = labelled(simulated("handbook")), labelled(simulated("extended"))
    assert "ring" not in plain["scenario"]
    genuine = extended.filter(scenario="genuine")
    assert_frame_equal(genuine, plain.join(genuine.select("payment_id"), on="payment_id", how="semi"))


def test_figures_are_near_the_published_ones() -> None:
    """A smaller simulation has the published number of payments a customer and day, amounts and times."""
    simulation = simulate_cards(CardSimulation(customers=1000, terminals=2000, days=40, radius=12, seed=1))
    assert simulation.payments.height == pytest.approx(1_754_155 / 5 / 183 * 40, rel=0.05)
    assert simulation.payments["amount"].mean() == pytest.approx(53.6, rel=0.1)
    seconds = simulation.payments["ts"].dt.epoch("s") % 86_400
    assert seconds.mean() == pytest.approx(43_200, abs=300)
    assert seconds.std() == pytest.approx(18_700, rel=0.05)  # 20,000 with the tails cut off


@given(
    customers=st.integers(1, 30),
    terminals=st.integers(3, 40),
    days=st.integers(1, 40),
    seed=st.integers(0, 2**40),
    profile=st.sampled_from(["handbook", "extended"]),
)
@settings(max_examples=25, deadline=None)
def test_any_size_holds_together(customers: int, terminals: int, days: int, seed: int, profile: str) -> None:
    """Any small simulation draws twice the same, and its rows refer to customers and terminals that exist."""
    asked = CardSimulation(
        customers,
        terminals,
        days,
        seed=seed,
        profile=profile,
        radius=150,
        daily_payments=8,
        cards_compromised=1,
        rings=2,
    )  # type: ignore[arg-type]
    try:
        one = simulate_cards(asked)
    except Exception as fault:  # noqa: BLE001 - a tiny simulation may be empty; it must say so
        assert "E6152" in str(fault)  # noqa: PT017 - both outcomes are right
        return
    for name, frame in simulate_cards(asked).frames().items():
        assert_frame_equal(frame, one.frames()[name])
    assert one.payments["card_id"].is_between(0, customers - 1).all()
    assert one.payments["terminal_id"].is_between(0, terminals - 1).all()
    assert one.payments["amount"].min() >= 0
    assert one.payments["payment_id"].equals(one.chargebacks["payment_id"])


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 60), st.floats(0.5, 150))
@settings(max_examples=30, deadline=None)
def test_reach_agrees_with_measuring_every_pair(seed: int, customers: int, terminals: int, radius: float) -> None:
    """The terminals in reach are exactly those that a distance matrix shows, in ascending order."""
    rng = np.random.default_rng(seed)
    x, y, tx, ty = (
        rng.uniform(0, 100, customers),
        rng.uniform(0, 100, customers),
        rng.uniform(0, 100, terminals),
        rng.uniform(0, 100, terminals),
    )
    none = np.zeros(0, np.int64)
    reach = find_reach(Customers(x, y, x, x, none, none, none), Terminals(tx, ty, none, none), radius)
    near = (x[:, None] - tx) ** 2 + (y[:, None] - ty) ** 2 < radius**2
    assert np.array_equal(np.diff(reach.first), near.sum(axis=1))
    assert np.array_equal(reach.terminals, np.nonzero(near)[1])


def test_threads_do_not_matter(tmp_path: Path) -> None:
    """Files written with one thread and with four are the same bytes."""
    script = (
        "import sys, pathlib, hashlib\n"
        "from mlsd_framework.runtime.data.simulate import *\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "asked = CardSimulation(customers=400, terminals=600, days=40, radius=12, profile='extended')\n"
        "write_simulation(simulate_cards(asked), folder)\n"
        "print([(p.name, hashlib.sha256(p.read_bytes()).hexdigest()) for p in sorted(folder.glob('*'))])\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / threads)],
            env={
                **os.environ,
                "POLARS_MAX_THREADS": threads,
                "PYTHONHASHSEED": threads,
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "4")
    ]
    assert said[0] == said[1]
    assert said[0].count(".parquet") == 5
