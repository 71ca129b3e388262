"""Generated parts at work: features against brute force, Feast's own commands, the service against training."""

import importlib.util
import json
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlsd_framework.runtime.features import packed
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.serving.bundle import load_bundle
from mlsd_framework.runtime.serving.call import Call
from mlsd_framework.runtime.training import artefacts as trained
from tests.runtime.features.conftest import serving
from tests.targets.generated_system import GeneratedSystem, command, generate

pytestmark = pytest.mark.process
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> GeneratedSystem:
    """Return the tiny system with everything run once."""
    return generate(tmp_path_factory.mktemp("project"))


def floored(moment: datetime, step: timedelta) -> datetime:
    """Return the last multiple of `step` since 1970 that is not after `moment`."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (moment - epoch) // step * step


def expected(events: pl.DataFrame, key: str, value: object, moment: datetime) -> dict[str, float | None]:
    """Return a key's features as of a moment, counted from the raw events by the words of the spec."""
    mine = events.filter(pl.col(key) == value)
    found: dict[str, float | None] = {}
    for days in (1, 7, 30):
        at = moment if key == "card_id" else floored(moment, HOUR)
        within = mine.filter((pl.col("ts") >= at - days * DAY) & (pl.col("ts") < at))
        if key == "card_id":
            found |= {
                f"card_activity.payments_{days}d": within.height,
                f"card_activity.spend_mean_{days}d": within["amount"].mean() if within.height else None,
                f"card_activity.spend_max_{days}d": within["amount"].max() if within.height else None,
            }
        else:
            found[f"terminal_activity.payments_{days}d"] = within.height
    for name, length in (("10m", HOUR / 6), ("1h", HOUR), ("1d", DAY)) if key == "card_id" else ():
        within = mine.filter((pl.col("ts") >= moment - length) & (pl.col("ts") < moment))
        found |= {
            f"card_velocity.payments_{name}": within.height,
            f"card_velocity.terminals_{name}": within["terminal_id"].n_unique(),
        }
    for days in (7, 21, 30) if key == "terminal_id" else ():
        at = floored(moment, DAY) - 7 * DAY
        within = mine.filter((pl.col("ts") >= at - days * DAY) & (pl.col("ts") < at))
        known = within["is_fraud"].drop_nulls()
        found |= {
            f"terminal_risk.settled_{days}d": within.height,
            f"terminal_risk.frauds_{days}d": int(known.sum()),
            f"terminal_risk.fraud_rate_{days}d": known.mean() if len(known) else None,
        }
    return found


def labelled(made: GeneratedSystem) -> pl.DataFrame:
    """Return the payments with their label where it is known."""
    return made.table("payments").join(
        made.table("chargebacks").select("payment_id", "is_fraud"), on="payment_id", how="left"
    )


def same(got: float | None, want: float | None) -> bool:
    """Say whether two values are the same but for rounding; null is only null."""
    return (
        got is want if got is None or want is None else bool(np.isclose(float(got), float(want), rtol=1e-9, atol=1e-9))
    )


def test_the_training_set_is_point_in_time(made: GeneratedSystem) -> None:
    """In 200 random rows each stored feature is what a count over raw events gives: windows, refresh, delay, labels."""
    dataset, events = pl.read_parquet(made.workspace.dataset), labelled(made)
    assert dataset.height == events["is_fraud"].is_not_null().sum()
    rows = dataset.sample(200, seed=1).to_dicts()
    for row in rows:
        want = expected(events, "card_id", row["card_id"], row["ts"]) | expected(
            events, "terminal_id", row["terminal_id"], row["ts"]
        )
        wrong = {name: (row[name], value) for name, value in want.items() if not same(row[name], value)}
        assert not wrong, (row["payment_id"], wrong)
    truth = dict(events.select("payment_id", "is_fraud").iter_rows())
    assert all(row["is_fraud"] == truth[row["payment_id"]] for row in rows)


def test_materialised_rows_are_the_definition_at_that_moment(made: GeneratedSystem) -> None:
    """The Parquet of each group holds for its keys what the definition gives just after the last event."""
    events = labelled(made)
    moment = events["ts"].max() + timedelta(microseconds=1)  # type: ignore[operator]  # a datetime
    for group, key in (
        ("card_activity", "card_id"),
        ("card_velocity", "card_id"),
        ("terminal_activity", "terminal_id"),
        ("terminal_risk", "terminal_id"),
    ):
        rows = pl.read_parquet(made.workspace.features / f"{group}.parquet")
        for row in rows.sample(min(30, rows.height), seed=2).to_dicts():
            want = {
                name: value
                for name, value in expected(events, key, row[key], moment).items()
                if name.startswith(f"{group}.")
            }
            assert all(same(row[name.split(".")[1]], value) for name, value in want.items()), (group, row, want)


def test_feast_applies_and_materialises(made: GeneratedSystem) -> None:
    """`feast apply` needs no store; what is published, and what `feast materialize` writes, Feast and services read."""
    repository = made.generated / "feature_repo"
    feast = str(Path(sys.executable).with_name("feast"))
    command([feast, "apply"], made.folder, repository)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, serving(folder) as (path, _):  # sockets have short names
        features = str(made.generated / "training" / "features.py")
        command([sys.executable, features, "--store", f"unix://{path}"], made.folder)
        answers_as_materialised(made, repository, f"unix://{path}")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, serving(folder) as (path, _):
        command(
            [feast, "materialize", "2018-01-01T00:00:00", "2038-01-01T00:00:00"],
            made.folder,
            repository,
            MLSD_STORE_URL=f"unix://{path}",
        )
        answers_as_materialised(made, repository, f"unix://{path}")


def answers_as_materialised(made: GeneratedSystem, repository: Path, url: str) -> None:
    """Ask Feast, and the store as the service reads it, for some terminals; what was materialised comes back."""
    rows = pl.read_parquet(made.workspace.features / "terminal_activity.parquet")
    ask = (
        "import json, sys; from feast import FeatureStore; keys = json.loads(sys.argv[1])\n"
        "names = ['terminal_activity:payments_30d', 'terminal_activity:payments_1d']\n"
        "found = FeatureStore('.').get_online_features(names, [{'terminal_id': key} for key in keys]).to_dict()\n"
        "print(json.dumps(found))"
    )
    some = rows.sample(20, seed=4)
    keys = json.dumps(some["terminal_id"].to_list())
    told = command([sys.executable, "-c", ask, keys], made.folder, repository, MLSD_STORE_URL=url)
    found = json.loads(told.splitlines()[-1])
    values = zip(found["payments_30d"], found["payments_1d"], strict=True)
    by_key = dict(zip(found["terminal_id"], values, strict=True))
    assert by_key == {row["terminal_id"]: (row["payments_30d"], row["payments_1d"]) for row in some.to_dicts()}
    module = service_module(made)
    layouts = [module.TERMINAL_ACTIVITY]
    store = OnlineStore.connect(url, system="card-fraud", features=module.FEATURES, layouts=layouts, timeout=2.0)
    read = store.read([("terminal_activity", (key,)) for key in some["terminal_id"]])
    store.close()
    names = [column.name for column in module.TERMINAL_ACTIVITY.columns]
    assert read == some.select(names).rows()


class StoredRow:
    """A store that holds the stored features of one example, as of its moment."""

    def __init__(self) -> None:
        self.row: dict[str, Any] = {}

    def read(self, asked: Any, timeout: float | None = None, *, at: int = 0) -> list[tuple[Any, ...]]:  # noqa: ARG002 - as the online store's
        """Return the columns of each group, in the order of its layout."""
        names = {group: [name for name in self.row if name.startswith(f"{group}.")] for group, _ in asked}
        return [tuple(self.row[name] for name in names[group]) for group, _ in asked]


@pytest.fixture(scope="session")
def service(made: GeneratedSystem) -> Any:
    """Return the generated service's module."""
    return service_module(made)


def service_module(made: GeneratedSystem) -> Any:
    """Import the generated service."""
    spec = importlib.util.spec_from_file_location("generated_service", made.generated / "service" / "service.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["generated_service"] = module
    spec.loader.exec_module(module)
    return module


def test_the_service_computes_what_training_computed(
    made: GeneratedSystem, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For 100 test rows the service's inputs are the training set's columns, its score the one predicted then."""
    monkeypatch.setenv("MLSD_STORE_URL", "redis://127.0.0.1:1")
    version = next(path for path in made.workspace.versions.iterdir() if path.is_dir())
    bundle = load_bundle(version)
    pipeline = service.Decide(bundle)
    pipeline.store = StoredRow()
    given: list[tuple[Any, ...]] = []
    original = pipeline.fraud.score
    monkeypatch.setattr(type(pipeline.fraud), "score", lambda _, row: given.append(row) or original(row))
    dataset = pl.read_parquet(made.workspace.dataset)
    predictions = trained.read_predictions(made.workspace.model("fraud"))
    names = [feature.name for feature in service.FRAUD_FEATURES]
    assert packed.RowLayout  # the layouts of the service are the runtime's own
    for index in np.random.default_rng(5).choice(predictions.parts.test, 100, replace=False):
        row = dataset.row(int(index), named=True)
        pipeline.store.row = row
        fields = {name: row[name] for name in service.DecideRequest.__struct_fields__}
        call = Call("test", 0.0, float("inf"))
        decision = pipeline(service.DecideRequest(**fields), call)
        assert not call.degraded, call.failures
        inputs = dict(zip(names, given[-1], strict=True))
        wrong = {
            name: (value, row[name])
            for name, value in inputs.items()
            if not (value == row[name] or same(value, row[name]))
        }
        assert not wrong
        assert decision.score == pytest.approx(float(predictions.probability[index]), abs=1e-6)
