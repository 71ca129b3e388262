"""The items of the made shop change in their table while it serves: what is new is found, what is gone is not."""

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.windows import FeatureColumn
from mlsd_framework.runtime.operations.store import store_url
from mlsd_framework.runtime.retrieval.live_items import LEAST_BESIDE
from tests.targets.made_shop import PRODUCTS, Shop, kind_of, liked
from tests.targets.test_recommendation_system import answer, await_history, buy, items_of

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("recommendation-system")]

OWED_S = 10.0  # of the spec
RATE, CLIENTS = 50, 5
NEW = 5001
PRODUCT = RowLayout("product", (FeatureColumn("kind", "string"),), ("product_id",))


@dataclass
class Table:
    """The file that lists the shop's products, as it was and as it is put."""

    path: Path
    first: pl.DataFrame

    def put(self, frame: pl.DataFrame) -> float:
        """Write the file as a careful writer does, and return the moment at which it is there."""
        part = self.path.with_name(".products.part")
        frame.write_parquet(part)
        part.rename(self.path)
        return time.monotonic()

    def with_rows(self, *rows: tuple[int, str, str]) -> pl.DataFrame:
        """Return the table with more rows, or others in the place of those of the same products."""
        more = pl.DataFrame(list(rows), self.first.schema, orient="row")
        return pl.concat([self.without(*more["product_id"].to_list()), more]).sort("product_id")

    def without(self, *products: int) -> pl.DataFrame:
        """Return the table without some products."""
        return self.first.filter(~pl.col("product_id").is_in(products))


@pytest.fixture
def table(shop: Shop) -> Iterator[Table]:
    """The table of products, which is as it was afterwards."""
    path = shop.root / "data" / "products.parquet"
    made = Table(path, pl.read_parquet(path))
    yield made
    made.put(made.first)
    await_items(shop, PRODUCTS)


def metric(text: str, name: str) -> dict[str, float]:
    """Return the values of a metric by its labels, as they are written."""
    return {labels: float(value) for labels, value in re.findall(rf"^{name}(\{{.*\}}) (\S+)$", text, re.MULTILINE)}


def await_that(holds: Callable[[], bool], seconds: float = OWED_S) -> float:
    """Wait until something holds, and return how long that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


def await_items(shop: Shop, number: int) -> None:
    """Wait until every worker says that it has so many items."""

    def all_have() -> bool:
        text = httpx.get(f"http://127.0.0.1:{shop.status.port}/metrics").text
        found = metric(text, "mlsd_index_items")
        return len(found) == 2 and set(found.values()) == {number}

    await_that(all_have, 3 * OWED_S)


def by_towers(ask: httpx.Client, user: int) -> dict[int, Any]:
    """Return what the towers find for a user, by item."""
    return {one["item"]: one for one in answer(ask, user, traced=True, k=50)["trace"]["candidates"]["towers"]}


@dataclass
class Load:
    """Requests at a rate over several connections, and what was wrong with their answers."""

    port: int
    words: dict[int, set[str]]
    asked: int = 0
    faults: list[str] = field(default_factory=list)
    first_seen: dict[int, float] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        """Ask as one of the clients until it is over."""
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20) as ask:
            began, user = time.monotonic(), number
            while not self.over.is_set():
                response = ask.post("/recommend", json={"user_id": user % 240, "k": 50})
                self._judge(response)
                user += CLIENTS
                self.asked += 1
                self.over.wait(max(0.0, began + (user // CLIENTS) * CLIENTS / RATE - time.monotonic()))

    def _judge(self, response: httpx.Response) -> None:
        if response.status_code != 200:
            self.faults.append(f"{response.status_code}: {response.text}")
            return
        found = response.json()
        items = items_of(found)
        if found["degraded"] or len(items) != 50 or len(set(items)) != len(items):
            self.faults.append(f"{len(items)} items, {found['degraded']}")
        for one in found["items"]:
            if one["describe"] not in self.words.get(one["item"], set()):
                self.faults.append(f"{one['item']} is called {one['describe']}")
            self.first_seen.setdefault(one["item"], time.monotonic())


@contextlib.contextmanager
def load_on(shop: Shop, words: dict[int, set[str]]) -> Iterator[Load]:
    """Let requests come meanwhile."""
    load = Load(shop.status.port, words)
    threads = [threading.Thread(target=load.run, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.over.set()
        for thread in threads:
            thread.join()


def test_a_new_product_is_found_while_requests_come(shop: Shop, table: Table) -> None:
    """Within what is owed it is in lists, with its words and features; no request fails, and none is mixed up."""
    words = {1000 + one: {f"product {1000 + one}, kind {kind_of(one)}"} for one in range(PRODUCTS)}
    with load_on(shop, {**words, NEW: {"brand new, kind 2"}}) as load:
        time.sleep(1)
        written = table.put(table.with_rows((NEW, "kind 2", "brand new")))
        await_items(shop, PRODUCTS + 1)
        time.sleep(1)
        table.put(table.first)
        await_items(shop, PRODUCTS)
        gone = time.monotonic()
        time.sleep(1)
    print(f"{load.asked} requests, found after {load.first_seen[NEW] - written:.2f} s, gone by {gone - written:.2f} s")
    assert load.faults == []
    assert load.asked > 100
    assert load.first_seen[NEW] - written < OWED_S


def test_a_new_product_has_its_features_and_can_be_met(shop: Shop, table: Table, ask: httpx.Client) -> None:
    """The store has its row before a worker finds it, and a purchase of it is part of a history, in its words."""
    table.put(table.with_rows((NEW, "kind 3", "brand new")))
    await_that(lambda: NEW in by_towers(ask, 3))
    store = OnlineStore.connect(
        store_url(shop.place), system="shop", features=shop.bundle.manifest.features, layouts=(PRODUCT,), timeout=5.0
    )
    assert store.read([("product", (NEW,))]) == [("kind 3",)]
    store.close()
    await_items(shop, PRODUCTS + 1)
    buy(ask, 10**9 + 7, NEW)
    found = await_history(ask, 10**9 + 7, [NEW])
    assert found["trace"]["history"][0]["describe"] == "brand new, kind 3"
    assert not found["cold_start"]


def test_a_changed_product_is_embedded_again(shop: Shop, table: Table, ask: httpx.Client) -> None:
    """A product of another kind has other words and another vector, and is one product still."""

    def found() -> dict[int, dict[int, Any]]:
        return {user: by_towers(ask, user) for user in range(12)}

    before = found()
    user, product = next((user, item) for user, own in before.items() for item in own)
    kind = f"kind {(kind_of(product - 1000) + 1) % 6}"
    table.put(table.with_rows((product, kind, "renamed")))

    def renamed() -> dict[int, Any]:
        return {one: own[product] for one, own in found().items() if product in own}

    await_that(lambda: {one["describe"] for one in renamed().values()} == {f"renamed, {kind}"})
    after = renamed()
    assert after.get(user, {"score": None})["score"] != before[user][product]["score"]
    await_items(shop, PRODUCTS)


def test_a_product_that_is_gone_is_recommended_by_nobody(shop: Shop, table: Table, ask: httpx.Client) -> None:
    """Not by the towers and not by what is popular, and lists are as long as before."""
    unknown = 10**9 + 11
    popular = items_of(answer(ask, unknown, k=10))
    assert answer(ask, unknown, k=10)["cached"]
    table.put(table.without(*popular[:3]))
    await_items(shop, PRODUCTS - 3)
    assert not answer(ask, unknown, k=10)["cached"]  # it has what is gone
    for user in (unknown, 1, 2, 3):
        found = answer(ask, user, k=50, traced=True)
        seen = {one["item"] for own in found["trace"]["candidates"].values() for one in own}
        assert not seen & set(popular[:3])
        assert len(found["trace"]["candidates"]["popular"]) == 30
    assert items_of(answer(ask, unknown, k=7))[:7] == popular[3:10]


def test_killed_processes_come_back_with_what_has_changed(shop: Shop, table: Table) -> None:
    """`kill -9` of workers and of the indexer: fresh ones know the new product, and the next one is found too."""
    table.put(table.with_rows((NEW, "kind 2", "brand new")))
    await_items(shop, PRODUCTS + 1)
    found = shop.status
    killed = [one.process for one in (*found.workers, *found.indexers) if one.process is not None]
    assert len(killed) == 3
    for process in killed:
        os.kill(process.pid, signal.SIGKILL)

    def are_back() -> bool:
        now = shop.status  # read once: a moment later it may know of the deaths that it did not know of
        return now.state == "ready" and not {one for one in now.processes if one in killed}

    await_that(are_back, 60)
    await_items(shop, PRODUCTS + 1)
    with httpx.Client(base_url=f"http://127.0.0.1:{shop.status.port}", timeout=20) as ask:
        assert NEW in by_towers(ask, 2)
    table.put(table.with_rows((NEW, "kind 2", "brand new"), (NEW + 1, "kind 2", "newer")))
    await_items(shop, PRODUCTS + 2)


def test_an_index_that_has_grown_much_is_built_again(shop: Shop, table: Table) -> None:
    """Each worker builds its own beside the one that answers, after enough was asked; no request fails meanwhile."""
    many = LEAST_BESIDE + 100
    rows = [(NEW + one, f"kind {one % 6}", f"brand new {one}") for one in range(many)]
    words = {1000 + one: {f"product {1000 + one}, kind {kind_of(one)}"} for one in range(PRODUCTS)}
    words |= {item: {f"{name}, {kind}"} for item, kind, name in rows}

    def rebuilt() -> int:
        text = httpx.get(f"http://127.0.0.1:{shop.status.port}/metrics").text
        return int(sum(metric(text, "mlsd_index_rebalances_total").values()))

    before = rebuilt()
    with load_on(shop, words) as load:
        table.put(table.with_rows(*rows))
        await_items(shop, PRODUCTS + many)
        await_that(lambda: rebuilt() >= before + 2, 60)
        time.sleep(1)
    for left in (600, 300, 120):  # more than half at once would be taken for damage
        table.put(table.with_rows(*rows[:left]))
        await_items(shop, PRODUCTS + left)
    assert load.faults == []
    assert '"index_rebalanced"' in (shop.place.logs / "service.log").read_text()


def test_a_file_of_requests_is_answered_with_what_has_changed(shop: Shop, table: Table, tmp_path: Path) -> None:
    """Without HTTP, by the version with its new products."""
    table.put(table.with_rows((NEW, "kind 2", "brand new")))
    await_items(shop, PRODUCTS + 1)
    users = [user for user in range(240) if liked(user) == 2]
    asked, out = tmp_path / "asked.parquet", tmp_path / "answers.parquet"
    pl.DataFrame({"user_id": users, "k": 50}, {"user_id": pl.Int64, "k": pl.Int32}).write_parquet(asked)
    shop.told("predict", "specs/shop.yaml", "--batch", str(asked), "--out", str(out))
    found = pl.read_parquet(out)
    assert found.filter(pl.col("item") == NEW).height > 0
    assert found["row"].n_unique() == len(users)
    likes = [["kind 5"], [], None]
    pl.DataFrame({"user_id": [10**9 + 17] * 3, "interests": likes}).write_parquet(asked)
    shop.told("predict", "specs/shop.yaml", "--batch", str(asked), "--out", str(out))
    first = [pl.read_parquet(out).filter(pl.col("row") == row)["item"].to_list() for row in range(3)]
    assert {kind_of(item - 1000) for item in first[0]} == {5}
    assert first[1] == first[2] != first[0]


@pytest.mark.parametrize(
    ("content", "code"), [(b"no parquet", "E61"), (None, "E6813")], ids=["damaged", "most rows gone"]
)
def test_a_damaged_table_changes_nothing(shop: Shop, table: Table, content: bytes | None, code: str) -> None:
    """What was there is answered; the fault is counted, and once it is mended what changed is found."""
    if content is None:
        table.put(table.first.head(PRODUCTS // 3))
    else:
        table.path.write_bytes(content)

    def refused() -> dict[str, float]:
        found = metric(httpx.get(shop.status.indexers[0].metrics).text, "mlsd_indexer_refused_total")
        return {labels: value for labels, value in found.items() if code in labels}

    await_that(lambda: bool(refused()))
    with httpx.Client(base_url=f"http://127.0.0.1:{shop.status.port}", timeout=20) as ask:
        assert len(items_of(answer(ask, 10**9 + 13, k=30))) == 30
    assert "E6" in (shop.place.logs / "indexer.log").read_text()
    table.put(table.with_rows((NEW, "kind 2", "brand new")))
    await_items(shop, PRODUCTS + 1)


def test_what_a_condition_does_not_hold_for_any_more_is_found_by_nothing(ask: httpx.Client, table: Table) -> None:
    """A product of which the table says otherwise is left out by every source, though the version knew it as it was."""
    gone = items_of(answer(ask, 7))[0]
    table.put(table.with_rows((gone, "withdrawn", f"product {gone}")))

    def left_out() -> bool:
        found = answer(ask, 7, traced=True, k=50)
        named = {one["item"] for found_by in found["trace"]["candidates"].values() for one in found_by}
        return gone not in named and gone not in items_of(found)

    await_that(left_out, 3 * OWED_S)
