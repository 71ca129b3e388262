"""Declarations of window groups: names, types, defaults, and what is refused."""

from datetime import timedelta

import pytest

from mlsd_framework.diagnostics.codes import CODES
from mlsd_framework.diagnostics.codes.features import CODES as FEATURE_CODES
from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.windows import (
    Aggregate,
    FeatureColumn,
    WindowGroup,
    column_names,
    output_columns,
    window_label,
)

GROUP = {
    "name": "g",
    "entity": ("card",),
    "source": "log",
    "event_time": "ts",
    "windows": (timedelta(days=1),),
    "aggregates": (Aggregate("n", "count"),),
}


@pytest.mark.parametrize(
    ("length", "label"),
    [
        ({"days": 7}, "7d"),
        ({"hours": 24}, "1d"),
        ({"hours": 36}, "36h"),
        ({"minutes": 30}, "30m"),
        ({"seconds": 90}, "90s"),
        ({"milliseconds": 250}, "250ms"),
        ({"microseconds": 1}, "1us"),
    ],
)
def test_labels(length, label):
    """A window is named by the largest unit that divides it."""
    assert window_label(timedelta(**length)) == label


def test_columns_and_their_types():
    """Columns come aggregate by aggregate, with the types and defaults of their functions."""
    group = WindowGroup(
        **GROUP
        | {
            "windows": (timedelta(hours=24), None),
            "labels": ("24h", "lifetime"),
            "aggregates": (Aggregate("n", "count"), Aggregate("who", "last", "name"), Aggregate("f", "sum", "flag")),
        }
    )
    assert column_names(group) == ("n_24h", "n_lifetime", "who_24h", "who_lifetime", "f_24h", "f_lifetime")
    assert output_columns(group, {"name": "string", "flag": "bool"})[::2] == (
        FeatureColumn("n_24h", "int64", 0),
        FeatureColumn("who_24h", "string"),
        FeatureColumn("f_24h", "int64"),
    )


@pytest.mark.parametrize(
    "change",
    [
        {"entity": ()},
        {"windows": ()},
        {"windows": (timedelta(0),)},
        {"windows": (timedelta(days=1), timedelta(hours=24))},
        {"refresh": timedelta(-1)},
        {"delay": timedelta(-1)},
        {"labels": ("a", "b")},
        {"aggregates": (Aggregate("n", "count"), Aggregate("n", "count", "x"))},
    ],
)
def test_meaningless_groups(change):
    """A group without parts, with lengths that are not positive or with a column twice is refused."""
    with pytest.raises(RunError) as caught:
        WindowGroup(**GROUP | change)
    assert caught.value.diagnostics[0].code == "E6201"


@pytest.mark.parametrize(
    "arguments", [("n", "median", "x"), ("n", "sum"), ("n", "sum", "x", timedelta(1)), ("n", "last", "x", None, 3)]
)
def test_meaningless_aggregates(arguments):
    """An unknown function, a missing value and parameters that it does not have are refused."""
    with pytest.raises(RunError) as caught:
        Aggregate(*arguments)
    assert caught.value.diagnostics[0].code == "E6201"


def test_codes_are_registered_once():
    """Every code of features has a page."""
    assert all(CODES[code.code] is code for code in FEATURE_CODES)
    assert len({code.name for code in FEATURE_CODES}) == len(FEATURE_CODES)
