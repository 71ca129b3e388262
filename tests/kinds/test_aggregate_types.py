"""The compiler and the runtime agree on what every aggregate gives, so that a row written is a row that can be read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlsd_framework.codegen.store_types import default_of, store_dtype
from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.ir.features import WindowGroup
from mlsd_framework.ir.types import DataType
from mlsd_framework.kinds.aggregates.functions import AGGREGATES
from mlsd_framework.lower.types import parse_type
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.runtime.features.materialisation import materialise_all
from mlsd_framework.runtime.features.windows import FUNCTIONS, Aggregate, output_dtype
from mlsd_framework.runtime.features.windows import WindowGroup as RuntimeGroup

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
# Types of the language, what the runtime calls them, and a column as the reader makes it.
TYPES: dict[str, tuple[str, pl.Series]] = {
    "string": ("string", pl.Series(["a"])),
    "category": ("string", pl.Series(["a"])),
    "bool": ("bool", pl.Series([True])),
    "int8": ("int64", pl.Series([1], dtype=pl.Int8)),
    "int32": ("int64", pl.Series([1], dtype=pl.Int32)),
    "int64": ("int64", pl.Series([1])),
    "float32": ("float64", pl.Series([1.5], dtype=pl.Float32)),
    "float64": ("float64", pl.Series([1.5])),
    "timestamp": ("timestamp", pl.Series([MOMENT], dtype=pl.Datetime("us", "UTC"))),
}
KINDS = {kind.name: kind for kind in AGGREGATES}
PAIRS = [(name, type_) for name in KINDS for type_ in TYPES]


# What stands beside the value, in the spec and in the runtime.
WRITTEN = {"last_n": ", 3", "top_k": ", 2", "ewma": ", half_life: 1h", "decayed_sum": ", half_life: 1h"}
BESIDE: dict[str, dict[str, Any]] = {
    "last_n": {"n": 3},
    "top_k": {"n": 2},
    "ewma": {"half_life": timedelta(hours=1)},
    "decayed_sum": {"half_life": timedelta(hours=1)},
}


def type_of(text: str) -> DataType:
    """Return a type by its name."""
    found = parse_type(text)
    assert found is not None
    return found


def test_the_compiler_knows_the_runtimes_aggregates() -> None:
    """Neither side has an aggregate that the other lacks."""
    assert set(KINDS) == set(FUNCTIONS)


@pytest.mark.parametrize(("name", "type_"), PAIRS)
def test_a_result_has_the_type_that_the_runtime_gives(name: str, type_: str) -> None:
    """Both take the value with one packed type, or both refuse it."""
    dtype = TYPES[type_][0]
    result = KINDS[name].result(type_of(type_))
    aggregate = Aggregate("a", name, "v", **BESIDE.get(name, {}))  # type: ignore[arg-type]
    if result is None:
        with pytest.raises(RunError):
            output_dtype(aggregate, {"v": dtype})  # type: ignore[dict-item]
        return
    assert store_dtype(result) == output_dtype(aggregate, {"v": dtype})  # type: ignore[dict-item]
    assert result.nullable == (name not in ("count", "count_distinct", "rate", "last_n", "top_k"))


def test_units_follow_the_value() -> None:
    """A sum of euros is euros, a number of them has no unit, time since an event is in seconds."""
    euros = type_of("float64 EUR")
    results = {name: kind.result(euros) for name, kind in KINDS.items()}
    units = {name: (found.item or found).unit for name, found in results.items() if found is not None}
    assert units.pop("count") is units.pop("count_distinct") is None
    assert units.pop("time_since_last") == "s"
    assert units.pop("rate") == "1/s"
    assert set(units.values()) == {"EUR"}


@pytest.mark.parametrize("where", ["", " where flag"])
def test_materialised_rows_have_the_layout_that_the_service_reads(
    where: str, tmp_path: Path, aggregate_spec: Callable[[dict[str, str]], str]
) -> None:
    """Over all aggregates and value types: names, packed types and defaults are one on both sides."""
    pairs = {f"{name}_of_{type_}": (name, type_) for name, type_ in PAIRS if KINDS[name].result(type_of(type_))}
    texts = {key: f"{name}(v_{type_}{WRITTEN.get(name, '')}){where}" for key, (name, type_) in pairs.items()}
    path = tmp_path / "spec.yaml"
    path.write_text(aggregate_spec(texts), encoding="utf-8")
    group = compile_spec(path).system.group("activity")
    assert isinstance(group, WindowGroup)
    generated = [(one.name, store_dtype(one.type), default_of(group, one.name)) for one in group.features]

    frame = pl.DataFrame({"card_id": ["c"], "ts": [MOMENT], "id": [1], "flag": [True]})
    frame = frame.with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))
    frame = frame.with_columns(**{f"v_{type_}": values for type_, (_, values) in TYPES.items()})
    aggregates = tuple(
        Aggregate(key, name, f"v_{type_}", **BESIDE.get(name, {}))  # type: ignore[arg-type]
        for key, (name, type_) in pairs.items()
    )
    runtime = RuntimeGroup("activity", ("card_id",), "payments", "ts", group.windows, aggregates, key=("id",))
    [written] = materialise_all([(runtime, frame)])
    assert [(one.name, one.dtype, one.default) for one in written.layout.columns] == generated
