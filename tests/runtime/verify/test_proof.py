"""A proof that holds: what is compared, planted and exercised, and how it is written down."""

import json
from pathlib import Path

import pytest

from mlsd_framework.runtime.verify import proof, report
from mlsd_framework.runtime.verify.proof import Proof
from mlsd_framework.runtime.verify.sampling import sampled
from tests.runtime.verify.shop import subject

pytestmark = pytest.mark.process


def test_every_home_of_every_group_is_asked(proved: Proof) -> None:
    """A live group has the stream and the request beside the training set's home, a batch group its rows."""
    assert proved.holds, proved.faults()
    homes = {one.group: list(one.homes) for one in proved.parity}
    assert homes == {
        "now": ["offline", "definition", "stream", "request"],
        "daily": ["offline", "definition", "request"],
        "card": ["offline", "definition", "request"],
        "(request)": ["frame", "request"],
    }
    assert all(one.values > 200 for one in proved.parity)


def test_rows_are_held_against_plants_of_every_kind(proved: Proof) -> None:
    """Future rows, rows written late, later changes and later labels are planted, and rows are compared."""
    assert proved.leakage is not None
    assert proved.leakage.rows > 500
    assert {(one.source, one.kind) for one in proved.leakage.plants if one.rows} == {
        ("payments", "later rows, changed"),
        ("payments", "future rows of known keys"),
        ("payments", "future rows of new keys"),
        ("payments", "rows written late"),
        ("cards", "later rows, changed"),
        ("cards", "future rows of known keys"),
        ("cards", "future rows of new keys"),
        ("labels", "labels known later, changed"),
    }


def test_every_feature_is_exercised(proved: Proof) -> None:
    """Each declared feature met nulls, empty windows, unseen keys, ties and edges, or says why it cannot."""
    names = {name for stored in subject().stored for name in (f"{stored.name}.{one}" for one in stored.features)}
    assert {one.feature for one in proved.coverage} == names | {"payment.night", "payment.share"}
    found = {one.feature: one for one in proved.coverage}
    points = found["now.points_30m"].cases
    assert all(points[case] for case in ("null value", "empty window", "unseen key", "null key", "tie"))
    assert all(points[case] for case in ("inside the edge", "outside the edge", "written later"))
    assert found["now.spend_lifetime"].excused["inside the edge"] == "a lifetime has no edge"
    assert found["now.spend_1d"].excused["null value"] == "`amount` is never null"


def test_the_proof_is_json_and_a_page_without_a_network(proved: Proof, tmp_path: Path) -> None:
    """The written proof says that it holds, of what it is one, and the page loads nothing."""
    proof.write(tmp_path / "proof.json", proved)
    data = json.loads((tmp_path / "proof.json").read_text())
    assert data["holds"]
    assert set(data["fingerprints"]) == {"definitions", "features", "runtime", "data"}
    page = report.page(proved)
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "now.spend_1d" in page


def test_the_same_seed_asks_the_same() -> None:
    """Two samples of one log are the same: a proof can be made again."""
    found = subject()
    first, second = (sampled(found, found.stored[0], 300) for _ in range(2))
    assert first.questions.equals(second.questions)
    assert first.rows.equals(second.rows)
