"""A spec whose one group aggregates columns of every type."""

import json
from collections.abc import Callable

import pytest

TYPES = ("string", "category", "bool", "int8", "int32", "int64", "float32", "float64", "timestamp")


@pytest.fixture
def aggregate_spec() -> Callable[[dict[str, str]], str]:
    """Return a function from aggregates by name to the text of a spec."""

    def spec(aggregates: dict[str, str]) -> str:
        columns = "".join(f"      v_{type_}: {type_}\n" for type_ in TYPES)
        lines = "".join(f"      {name}: {json.dumps(text)}\n" for name, text in aggregates.items())
        return (
            "mlsd: 1\nsystem: aggregates\nsources:\n  payments:\n    kind: events\n    path: data/payments.csv\n"
            "    key: id\n    event_time: ts\n    schema:\n      id: int64\n      ts: timestamp\n"
            f"      card_id: string\n      flag: bool\n{columns}"
            "entities: {card: card_id}\nfeatures:\n  activity:\n    entity: card\n    from: payments\n"
            f"    windows: [1d, lifetime]\n    aggregate:\n{lines}"
        )

    return spec
