"""A system whose proof fails is not deployed, unless a dated override of the spec says so."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.plan.proving import refuse_unproved
from mlsd_framework.plan.stages import Verify
from mlsd_framework.plan.state import read_state
from mlsd_framework.runtime.operations import client
from tests.plan.small_project import Small
from tests.plan.test_kills_and_crowds import Commands

FAULT = RunError.of("E6701", "2 values differ")
UNTIL = "2026-12-31"


def verify(until: str | None) -> Verify:
    """A stage of a proof with an override, or none."""
    return Verify(parts=(), script="verify.py", until=until, reason="a vendor is late")


def codes(fault: pytest.ExceptionInfo[RunError]) -> list[str]:
    """The codes of what was raised, in order."""
    return [one.code for one in fault.value.diagnostics]


def test_a_failed_proof_is_refused() -> None:
    """Without an override the findings are shown, and that nothing overrides them."""
    with pytest.raises(RunError) as fault:
        refuse_unproved(verify(None), FAULT, date(2026, 1, 1))
    assert codes(fault) == ["E6701", "E5023"]


def test_an_override_counts_until_the_end_of_its_day() -> None:
    """On its last day it still counts; on the day after the proof is asked for again."""
    assert refuse_unproved(verify(UNTIL), FAULT, date(2026, 12, 31)) == UNTIL
    with pytest.raises(RunError) as fault:
        refuse_unproved(verify(UNTIL), FAULT, date(2027, 1, 1))
    assert codes(fault) == ["E6701", "E5024"]
    assert UNTIL in fault.value.diagnostics[-1].what


def test_an_override_is_read_from_the_spec(small: Small) -> None:
    """It stands in the stage, and makes no other stage stale; a spec whose override has ended is no wrong spec."""
    small.settle()
    small.write(("environments:", "override: {proof: {until: 2020-01-31, reason: long ago}}\n\nenvironments:"))
    stage = small.project().blueprint.stage("verify")
    assert isinstance(stage, Verify)
    assert (stage.until, stage.reason) == ("2020-01-31", "long ago")
    assert set(small.stale()) <= {"build"}


@pytest.fixture
def commands(small: Small) -> Iterator[Commands]:
    """Commands on the small project, and whatever they started ended."""
    yield Commands(small)
    client.stop(small.project().workspace)


@pytest.mark.process
def test_deploy_refuses_what_is_not_proved(commands: Commands) -> None:
    """The service is not started, what was done before is kept, and a mended proof goes on from there."""
    told = commands.fail("deploy", STUB_FAIL="verify")
    assert "E5023" in told
    assert read_state(commands.small.project().workspace).stages.keys() >= {"evaluate", "materialise"}
    assert commands.run("plan")["state"] != "ready"
    assert commands.run("deploy")["stages"] == ["verify", "serve"]


@pytest.mark.process
def test_deploy_under_an_override(commands: Commands) -> None:
    """It is deployed, the reason is told, and the proof is asked for again the next time."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    commands.small.write(
        ("environments:", f"override: {{proof: {{until: {tomorrow}, reason: the vendor mends it}}}}\n\nenvironments:")
    )
    process = commands.begin("deploy", STUB_FAIL="verify")
    output, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert json.loads(output)["state"] == "ready"
    assert "the vendor mends it" in told
    assert commands.run("plan")["stages"] == ["verify"]
