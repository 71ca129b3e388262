"""Rows of features in a real store: those that differ are written, and readers of the generation see them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mlsd_framework.runtime.features.columns import ColumnGroup
from mlsd_framework.runtime.features.materialisation import materialise_all
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.publishing import publishing
from mlsd_framework.runtime.features.resp import StoreError
from mlsd_framework.runtime.indexer.publishing import RowPublisher
from tests.runtime.serving.valkey_process import Valkey

pytestmark = pytest.mark.process

GROUP = ColumnGroup("product", ("id",), "products", ("kind", "price"))
FIRST = pl.DataFrame({"id": [1, 2, 3], "kind": ["a", None, "c"], "price": [1.0, 2.0, None]})


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A fresh store."""
    with Valkey(tmp_path) as valkey:
        yield valkey.url


def published(url: str, as_of: datetime) -> OnlineStore:
    """Publish the first rows as a materialisation does, and return a reader."""
    made = materialise_all([(GROUP, FIRST)], as_of)[0]
    store = OnlineStore.connect(url, system="s", features="f", layouts=(made.layout,), timeout=5.0)
    with publishing(store, as_of) as generation:
        generation.write("product", made.rows)
    return store


@pytest.mark.parametrize("ahead", [timedelta(days=-300), timedelta(days=300)])
def test_rows_that_differ_are_written(url: str, ahead: timedelta) -> None:
    """A changed and a new one are; those that say the same are left alone, and a second time all are.

    It does not matter whether the log ends long before the clock, or ahead of it.
    """
    store = published(url, datetime.now(UTC) + ahead)
    publisher = RowPublisher(url, system="s", features="f")
    changed = pl.DataFrame({"id": [1, 2, 4], "kind": ["a", "b", "d"], "price": [1.0, 2.0, 4.0]})
    assert publisher.publish([GROUP], {"products": changed.lazy()}) == {"product": 2}
    asked = [("product", (key,)) for key in (1, 2, 3, 4, 5)]
    assert store.read(asked) == [("a", 1.0), ("b", 2.0), ("c", None), ("d", 4.0), (None, None)]
    assert publisher.publish([GROUP], {"products": changed.lazy()}) == {"product": 0}
    publisher.close()
    store.close()


def test_nothing_is_written_where_nothing_is_published(url: str) -> None:
    """Before a first publication there is no generation to write into: E6224, and none is made."""
    publisher = RowPublisher(url, system="s", features="f")
    with pytest.raises(StoreError, match="E6224"):
        publisher.publish([GROUP], {"products": FIRST.lazy()})
    publisher.close()
    made = materialise_all([(GROUP, FIRST)], datetime.now(UTC))[0]
    store = OnlineStore.connect(url, system="s", features="f", layouts=(made.layout,), timeout=5.0)
    with pytest.raises(StoreError, match="E6224"):
        store.read([("product", (1,))])
    store.close()
