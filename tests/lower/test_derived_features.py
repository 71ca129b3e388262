"""Groups with a `kind`: what the core checks before the kind is asked, and what it makes of the kind's answer."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.ir.features import DerivedGroup, Reading
from mlsd_framework.ir.fingerprint import features_fingerprint
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import FLOAT64, INT64, DataType
from mlsd_framework.kinds.builtin import PLUGIN
from mlsd_framework.lower.kinds import DerivedFeature, GroupDraft
from mlsd_framework.lower.scope import GroupScope
from mlsd_framework.lower.system import lower_system
from mlsd_framework.passes import check
from mlsd_framework.plan.meaning import Definitions
from mlsd_framework.plugin.plugin import Plugin
from mlsd_framework.plugin.registry import Registry, registry
from mlsd_framework.spec.derived import DerivedGroupSpec
from mlsd_framework.spec.loading import load

Lowered = tuple[System, list[Diagnostic]]
SPEC = """
mlsd: 1
system: small
sources:
  orders:
    kind: events
    path: orders.parquet
    key: order
    event_time: ts
    schema: {order: int64, ts: timestamp, shop: int64, amount: float64, rating: {type: int64?, known_after: 2d}}
  returns:
    kind: events
    path: returns.parquet
    key: order
    event_time: at
    schema: {order: int64, at: timestamp, shop: int64, returned: bool}
  shops:
    kind: table
    path: shops.parquet
    key: shop
    schema: {shop: int64, city: string}
entities:
  shop: shop
features:
  tides: {GROUP}
"""
GROUP = "{kind: tide, entity: shop, from: orders, of: amount, refresh: 1d}"


class TideSpec(DerivedGroupSpec):
    """A kind for these tests."""

    kind: Literal["tide"]
    of: str


class Tide:
    """Reads one column of the first source, and gives two features."""

    name = "tide"
    spec = TideSpec
    function = "tides.runtime:tide"
    type = FLOAT64

    def lower(self, spec: Any, scope: GroupScope) -> GroupDraft | None:
        """Find the column."""
        source = scope.sources[0]
        if scope.column(source, spec.of, "of") is None:
            return None
        readings = tuple(Reading(one.name, (*scope.entity.key, spec.of)) for one in scope.sources)
        features = (DerivedFeature("level", self.type), DerivedFeature("waves", INT64, 0, "how many"))
        return GroupDraft(features, readings, (("of", spec.of),), timedelta(days=7))


class Odd(Tide):
    """A kind whose feature no stored row can hold."""

    type = DataType("list", item=DataType("list", item=FLOAT64))


class Listing(Tide):
    """A kind that gives a list of numbers."""

    type = DataType("list", item=FLOAT64)


@pytest.fixture
def kinds() -> Registry:
    """Return the built-in kinds and one more."""
    return registry([PLUGIN, Plugin("tides", "1", features=(Tide(),))])


@pytest.fixture
def lowered(tmp_path: Path, kinds: Registry) -> Callable[..., Lowered]:
    """Return what lowers the spec with a group of one's own."""

    def lower(group: str = GROUP, known: Registry = kinds) -> Lowered:
        (tmp_path / "small.yaml").write_text(SPEC.replace("{GROUP}", group), encoding="utf-8")
        return lower_system(load(tmp_path / "small.yaml", known.spec), known.kinds)

    return lower


def faults(found: list[Diagnostic]) -> list[tuple[str, str]]:
    """Return codes and texts."""
    return [(one.code, one.what) for one in found]


def test_the_group_is_what_spec_and_kind_say(lowered: Callable[..., Lowered]) -> None:
    """Names and lengths come from the spec, features and settings from the kind; without a default, null is allowed."""
    system, found = lowered()
    assert found == []
    assert check(system) == []
    group = system.group("tides")
    assert isinstance(group, DerivedGroup)
    assert (group.kind, group.key, group.sources, group.function) == ("tide", ("shop",), ("orders",), Tide.function)
    assert (group.window, group.refresh, group.delay) == (timedelta(days=7), timedelta(days=1), timedelta(0))
    assert [(one.name, str(one.type), one.describe) for one in group.features] == [
        ("level", "float64?", "level"),
        ("waves", "int64", "how many"),
    ]
    assert system.stored == (group,)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (("from: orders", "from: order"), "E2004: `features.tides` refers to source `order`, which is not declared"),
        (("from: orders", "from: [orders, orders]"), "E2010: `features.tides` names the source `orders` twice"),
        (
            ("from: orders", "from: [orders, shops]"),
            "E2031: `features.tides` makes snapshots of `shops`, which has no `event_time`",
        ),
        (
            ("entity: shop", "entity: store"),
            "E2005: `features.tides` refers to entity `store`, which is not declared",
        ),
        (("refresh: 1d", "refresh: 0s"), "E2032: `features.tides` makes snapshots without time between them"),
        (("of: amount", "of: amout"), "E2003: `features.tides` reads `amout`, which `sources.orders` lacks"),
        (
            ("refresh: 1d", "refresh: 1d, describe: {wave: x}"),
            "E2001: `features.tides.describe` describes `wave`, which is no feature of the group",
        ),
    ],
)
def test_names_and_lengths_are_checked(
    changed: tuple[str, str], expected: str, lowered: Callable[..., Lowered]
) -> None:
    """Each fault is one message, and a group with a fault is left out."""
    system, found = lowered(GROUP.replace(*changed))
    assert [f"{code}: {what}" for code, what in faults(found)] == [expected]
    assert "wave" in expected or system.features == ()


def test_a_column_that_is_known_later_needs_a_delay(lowered: Callable[..., Lowered]) -> None:
    """What a function reads is held against the group's delay, as an aggregate's columns are."""
    late = GROUP.replace("of: amount", "of: rating")
    [found] = check(lowered(late)[0])
    assert found.code == "E2101"
    assert found.what == "`features.tides` reads `rating` of `orders`, which is known only 2d later"
    assert check(lowered(late.replace("refresh: 1d", "refresh: 1d, delay: 2d"))[0]) == []


def test_types_that_no_row_holds_are_refused(lowered: Callable[..., Lowered]) -> None:
    """A kind's feature is stored like a table's, or the compiler says that it cannot be."""
    odd = registry([PLUGIN, Plugin("tides", "1", features=(Odd(),))])
    [found] = check(lowered(known=odd)[0])
    assert found.code == "E3005"
    assert check(lowered(known=registry([PLUGIN, Plugin("tides", "1", features=(Listing(),))]))[0]) == []


@pytest.mark.parametrize(("kind", "shown"), [("tied", "tied"), ("", "null"), ("[tide]", "['tide']"), ("7", "7")])
def test_an_unknown_kind_is_named(kind: str, shown: str, lowered: Callable[..., Lowered], kinds: Registry) -> None:
    """The message has the kinds at hand; without any, it says where to look."""
    group = GROUP.replace("kind: tide", f"kind: {kind}")
    for known, expected in ((kinds, "one of: tide"), (registry([PLUGIN]), None)):
        with pytest.raises(SpecError) as caught:
            lowered(group, known)
        [found] = caught.value.diagnostics
        assert (found.code, found.what) == ("E1104", f"`features.tides` is of an unknown kind, `{shown}`")
        assert found.expected == expected
        assert found.help == ("did you mean `tide`?" if known is kinds and kind == "tied" else found.help)


@pytest.mark.parametrize("group", ["7", "[tide]", "tide"])
def test_a_group_that_is_no_mapping_is_named(group: str, lowered: Callable[..., Lowered], kinds: Registry) -> None:
    """With kinds at hand and without, the message is the same."""
    for known in (kinds, registry([PLUGIN])):
        with pytest.raises(SpecError) as caught:
            lowered(group, known)
        [found] = caught.value.diagnostics
        assert (found.code, found.what) == ("E1103", "`features.tides` is not a mapping")


def test_keys_of_the_kind_are_part_of_the_language(lowered: Callable[..., Lowered]) -> None:
    """A typo in a kind's own key is found with its place, and groups without a kind stay what they are."""
    with pytest.raises(SpecError) as caught:
        lowered(GROUP.replace("of: amount", "off: amount"))
    [found] = caught.value.diagnostics
    assert (found.code, found.help) == ("E1102", "did you mean `of`?")
    plain = "{entity: shop, from: orders, refresh: 1d, windows: [1d], aggregate: {n: count()}}"
    assert lowered(plain)[1] == []
    with pytest.raises(SpecError) as caught:
        lowered(plain.replace("windows", "window"))
    assert "kind" not in str(caught.value.diagnostics[0].expected)


def test_what_is_computed_decides_the_fingerprint(lowered: Callable[..., Lowered]) -> None:
    """A setting, a length or a column that is read changes what features mean; a description does not."""
    first = lowered()[0]
    parts = Definitions(first).of_names([("tides", "level")])
    assert {"features.tides.of", "features.tides.refresh", "sources.orders.schema.amount"} <= dict(parts).keys()
    assert "sources.orders.schema.rating" not in dict(parts)
    for changed, same in (
        ("refresh: 12h", False),
        ("refresh: 1d, delay: 1h", False),
        ("refresh: 1d, describe: {level: height}", True),
    ):
        other = lowered(GROUP.replace("refresh: 1d", changed))[0]
        assert (features_fingerprint(other) == features_fingerprint(first)) is same
        assert (Definitions(other).of_names([("tides", "level")]) == parts) is same


def test_spark_does_not_compute_it(lowered: Callable[..., Lowered]) -> None:
    """An environment that computes features with Spark refuses the group, by name."""
    system, _ = lowered()
    spark = replace(system, environment=replace(system.environment, offline="spark"))
    expected = "`features.tides` is of kind `tide`, which the Spark jobs do not compute"
    assert faults(check(spark)) == [("E3007", expected)]
