"""A file replayed as a stream gives the events that its source would."""

import time
from pathlib import Path

import polars as pl
import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.stream.replay import ReplayedFile
from tests.runtime.stream.payments import encoded, payment
from tests.runtime.stream.pumping import stepped
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.test_decoding import decoded
from tests.runtime.stream.watching import all_counted


def written(folder: Path, kind: str, number: int) -> Path:
    """A file of payments."""
    path = folder / f"payments.{kind}"
    lines = [encoded(payment(n)) for n in range(number)]
    if kind == "parquet":
        decoded(*lines).frame.write_parquet(path)
    else:
        path.write_bytes(b"\n".join(lines) + b"\n")
    return path


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_rows_reach_their_states(store: StoreProcess, tmp_path: Path, kind: str) -> None:
    """Every row is in its state once, also where a second replay begins in the middle."""
    path = written(tmp_path, kind, 300)
    stepped(store, ReplayedFile(path), most=64).run(128)
    second = stepped(store, ReplayedFile(path), most=64)
    while second.pump.step():
        pass
    assert second.total("rejected_total", reason="type") == -1
    assert all_counted(store) == {f"p{n}": 1 for n in range(300)}


def test_times_of_a_replay_are_those_of_the_file(store: StoreProcess, tmp_path: Path) -> None:
    """Parquet's times come through the notation of a stream unchanged, to the microsecond."""
    event = payment(1, at="2024-01-01T00:00:00.000001+00:00")
    path = tmp_path / "one.parquet"
    decoded(encoded(event)).frame.write_parquet(path)
    pumped = stepped(store, ReplayedFile(path))
    pumped.run(1)
    position = pumped.pump._placed["0"].position
    assert position is not None
    assert position.watermark == 1_704_067_200_000_001


def test_a_rate(store: StoreProcess, tmp_path: Path) -> None:
    """At a rate, no row comes before it is due."""
    begun = time.monotonic()
    stepped(store, ReplayedFile(written(tmp_path, "jsonl", 50), rate=500.0)).run(50)
    assert time.monotonic() - begun >= 0.1


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there, or is none that can be read, is refused."""
    (tmp_path / "bad.parquet").write_bytes(b"no")
    for name in ("none.parquet", "none.jsonl", "bad.parquet"):
        with pytest.raises(RunError, match="E6605"):
            ReplayedFile(tmp_path / name)


def test_rows_are_polars_rows() -> None:
    """The schema that a replay writes is the one that the decoder reads."""
    frame = decoded(encoded(payment(1))).frame
    assert frame.schema["at"] == pl.Datetime("us", "UTC")
