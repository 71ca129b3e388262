"""Requests of a Parquet file are answered as the service answers them, by the generated service of a small shop."""

import contextlib
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.batch import Answered, Served, answer_file
from tests.runtime.serving.conftest import PLAIN, run_worker, write_plain_bundle
from tests.runtime.serving.valkey_process import Valkey
from tests.targets.generated_system import GeneratedSystem, command
from tests.targets.similar_shop import USERS, generate, items_of

pytestmark = pytest.mark.process
MOMENT = datetime(2026, 2, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> GeneratedSystem:
    """The small shop, trained."""
    return generate(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def served(shop: GeneratedSystem, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Its version beside a store that knows what users did."""
    with Valkey(tmp_path_factory.mktemp("v")) as valkey:
        command([sys.executable, str(shop.generated / "training" / "features.py"), "--store", valkey.url], shop.folder)
        version = shop.workspace.versions / shop.workspace.current.read_text()
        yield Served(shop.generated / "service" / "service.py", version, valkey.url)


@contextlib.contextmanager
def client_of(served: Served) -> Iterator[httpx.Client]:
    """A client of a worker of the version."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        environment = {"MLSD_STORE_URL": served.store} if served.store else {}
        worker = run_worker(listening, served.bundle, service=served.service, **environment)
        try:
            with httpx.Client(base_url=worker.url, timeout=30) as made:
                yield made
        finally:
            worker.stop()


def whole(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    """Return the list that HTTP gives where no stage was late: a batch has no budgets, and a busy machine is slow."""
    for _ in range(50):
        answer: dict[str, Any] = client.post("/recommend", json=body).json()
        if not answer["degraded"]:
            return answer
    raise AssertionError(answer["degraded"])


def test_a_batch_gives_the_answers_of_the_service(served: Served, tmp_path: Path) -> None:
    """Every list of a batch is the list that HTTP gives: items, places, scores, sources, cold starts, defaults."""
    users = [*range(0, USERS, 2), USERS + 1]
    asked = pl.DataFrame(
        {
            "user_id": users * 2,
            "at": [MOMENT + timedelta(hours=number) for number in range(len(users) * 2)],
            "k": [None if number % 3 == 0 else number % 7 + 1 for number in range(len(users) * 2)],
        }
    )
    asked.write_parquet(tmp_path / "asked.parquet")
    told: list[tuple[int, int]] = []
    answered = answer_file(
        served, "/recommend", tmp_path / "asked.parquet", tmp_path / "out.parquet", lambda *done: told.append(done)
    )
    found = pl.read_parquet(tmp_path / "out.parquet")
    assert answered == Answered(asked.height, found.height, 0, served.bundle.name)
    assert told == [(100, asked.height), (asked.height, asked.height)]
    assert found.columns == [
        "row", "user_id", "at", "k", "place", "item", "score", "sources", "cold_start", "degraded", "version",
    ]  # fmt: skip
    with client_of(served) as client:
        for row, request in enumerate(asked.to_dicts()):
            body = {name: value for name, value in request.items() if value is not None}
            answer = whole(client, {**body, "at": body["at"].isoformat()})
            mine = found.filter(pl.col("row") == row)
            assert mine.select("user_id", "at", "k").unique().to_dicts() == [request]
            assert mine["place"].to_list() == list(range(1, len(answer["items"]) + 1))
            assert mine["item"].to_list() == [one["item"] for one in answer["items"]]
            assert mine["sources"].to_list() == [one["sources"] for one in answer["items"]]
            assert mine["cold_start"].unique().to_list() == [answer["cold_start"]]
            assert mine["version"].unique().to_list() == [answer["version"]]
    assert found.filter(pl.col("cold_start"))["user_id"].unique().to_list() == [USERS + 1]


def test_a_field_that_an_answer_has_too_stands_beside_it(served: Served, tmp_path: Path) -> None:
    """The item that was asked by is `request.item`, the items of the answer are `item`."""
    pl.DataFrame({"item": [items_of(1)[0], "unknown"]}).write_parquet(tmp_path / "asked.parquet")
    answer_file(served, "/similar", tmp_path / "asked.parquet", tmp_path / "out.parquet")
    found = pl.read_parquet(tmp_path / "out.parquet")
    assert found.columns[:4] == ["row", "request.item", "place", "item"]
    assert found.group_by("request.item").agg(pl.col("cold_start").any()).sort("request.item").rows() == [
        (items_of(1)[0], False),
        ("unknown", True),
    ]
    assert not found.filter(pl.col("item") == pl.col("request.item")).height


def test_decisions_are_a_row_a_request(tmp_path: Path) -> None:
    """A batch of decisions has the action, the score and the reasons of each request that HTTP gives."""
    bundle = write_plain_bundle(tmp_path / "versions")
    served = Served(PLAIN, bundle.folder)
    with client_of(served) as client:
        example = client.get("/openapi.json").json()["paths"]["/decide"]["post"]["requestBody"]["content"]
        body = example["application/json"]["example"]
        answer = client.post("/decide", json=body).json()
    pl.DataFrame([body, body]).write_parquet(tmp_path / "asked.parquet")
    answer_file(served, "/decide", tmp_path / "asked.parquet", tmp_path / "out.parquet")
    found = pl.read_parquet(tmp_path / "out.parquet").to_dicts()
    assert [row["row"] for row in found] == [0, 1]
    for row in found:
        assert (row["action"], row["score"], row["risk"]) == (answer["action"], answer["score"], answer["risk"])
        assert row["reasons"] == [one["text"] for one in answer["reasons"]]


def refused(served: Served, asked: pl.DataFrame, folder: Path, endpoint: str = "/recommend") -> list[tuple[str, str]]:
    """Return the faults of a batch that is refused; what lay at its answers' place is still there."""
    asked.write_parquet(folder / "asked.parquet")
    (folder / "out.parquet").write_text("former")
    with pytest.raises(RunError) as fault:
        answer_file(served, endpoint, folder / "asked.parquet", folder / "out.parquet")
    assert sorted(path.name for path in folder.iterdir()) == ["asked.parquet", "out.parquet"]
    assert (folder / "out.parquet").read_text() == "former"
    return [(one.code, one.what) for one in fault.value.diagnostics]


def test_rows_that_are_no_requests_are_named(served: Served, tmp_path: Path) -> None:
    """Each row that is no request is told by its number, many are counted, and nothing is written."""
    asked = pl.DataFrame({"user_id": [1, None, 3], "k": [5, 5, 900]})
    assert refused(served, asked, tmp_path) == [
        ("E6436", "row 1 is no request for `/recommend`: `user_id` is null"),
        ("E6436", "row 2 is no request for `/recommend`: `k` is number 900"),
    ]
    found = refused(served, pl.DataFrame({"user_id": [1] * 150, "k": [0] * 150}), tmp_path)
    assert len(found) == 21
    assert found[-1] == ("E6436", "130 more rows are no requests")


def test_columns_endpoints_and_files_that_are_none_are_named(served: Served, tmp_path: Path) -> None:
    """A column that is no field, an endpoint that is not there, and a file that is no Parquet are refused."""
    assert refused(served, pl.DataFrame({"user": [1]}), tmp_path) == [
        ("E6436", "the column `user` is no field of a request for `/recommend`")
    ]
    assert refused(served, pl.DataFrame({"user_id": [1]}), tmp_path, "/nowhere") == [
        ("E6436", "the service has no endpoint `/nowhere`")
    ]
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(RunError, match="E6438"):
        answer_file(served, "/recommend", tmp_path / "text.parquet", tmp_path / "out.parquet")


def test_a_store_that_is_gone_degrades_or_fails_as_in_the_service(served: Served, tmp_path: Path) -> None:
    """Without its store the version answers as its stages say: each answer names the stage that it did without."""
    pl.DataFrame({"user_id": [1, 2]}).write_parquet(tmp_path / "asked.parquet")
    alone = Served(served.service, served.bundle, f"unix://{tmp_path}/nothing")
    answered = answer_file(alone, "/recommend", tmp_path / "asked.parquet", tmp_path / "out.parquet")
    assert (answered.requests, answered.degraded) == (2, 2)
    assert pl.read_parquet(tmp_path / "out.parquet")["degraded"].to_list()[0] == ["fetch"]


def test_a_file_without_rows_gives_one_without_rows(served: Served, tmp_path: Path) -> None:
    """No requests have no answers, and that is no fault."""
    pl.DataFrame({"user_id": []}, {"user_id": pl.Int64}).write_parquet(tmp_path / "asked.parquet")
    answered = answer_file(served, "/recommend", tmp_path / "asked.parquet", tmp_path / "out.parquet")
    assert (answered.requests, answered.rows) == (0, 0)
    assert pl.read_parquet(tmp_path / "out.parquet").height == 0
