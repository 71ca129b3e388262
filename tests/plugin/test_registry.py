"""Plugins are joined into one registry; one that fails, or that is none, is named with its package."""

from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import PluginError
from mlsd_framework.kinds.builtin import PLUGIN
from mlsd_framework.plugin import registry as module
from mlsd_framework.plugin.plugin import Plugin
from mlsd_framework.plugin.registry import installed, registry


@dataclass(frozen=True)
class Package:
    """Stands for an installed package's metadata."""

    name: str
    version: str


class Point:
    """Stands for an entry point of an installed package."""

    def __init__(self, name: str, loaded: object, package: str = "mlsd-routes") -> None:
        """Take what loading gives; an exception is raised instead."""
        self.name, self.value, self.loaded = name, f"{package}:PLUGIN", loaded
        self.dist = Package(package, "1.2.3")

    def load(self) -> object:
        """Load what the entry point names."""
        if isinstance(self.loaded, BaseException):
            raise self.loaded
        return self.loaded


def fault_of(points: list[Point], monkeypatch: pytest.MonkeyPatch) -> Diagnostic:
    """Return the fault of a registry made from these entry points."""
    monkeypatch.setattr(module, "entry_points", lambda group: points if group == module.GROUP else [])
    with pytest.raises(PluginError) as caught:
        installed.__wrapped__()
    [one] = caught.value.diagnostics
    return one


def test_the_built_in_kinds_come_through_the_same_door() -> None:
    """The package's own entry point names the built-in plugin."""
    assert any(plugin.name == "builtin" for plugin in installed().plugins)
    assert "catboost.classifier" in installed().models
    of_requests = {"fetch", "compute", "score", "rules", "decide", "explain", "fallback"}
    of_candidates = {
        "retrieve",
        "filter",
        "boost",
        "freshen",
        "diversify",
        "spread",
        "expose",
        "cap",
        "explore",
        "take",
    }
    assert set(installed().stages) == of_requests | of_candidates


@pytest.mark.parametrize(
    "fault", [ImportError("no module named routes"), RuntimeError("boom"), SyntaxError("bad"), SystemExit(3)]
)
def test_a_plugin_that_fails_to_load_is_named(fault: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the plugin, the package, its version and the cause; the cause is kept for the traceback."""
    one = fault_of([Point("routes", fault)], monkeypatch)
    assert one.code == "E4001"
    assert one.what == f"the plugin `routes` of mlsd-routes 1.2.3 fails to load: {type(fault).__name__}: {fault}"
    assert one.help == "mend or uninstall mlsd-routes 1.2.3"


@pytest.mark.parametrize("thing", [None, "text", Plugin, object()])
def test_what_is_no_plugin_is_named(thing: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point that names anything else than an instance of `Plugin` is refused."""
    one = fault_of([Point("routes", thing)], monkeypatch)
    assert one.code == "E4001"
    assert "mlsd-routes 1.2.3" in one.what
    assert one.expected == "an instance of `mlsd_framework.plugin.Plugin`"


def test_two_plugins_with_one_kind_are_both_named() -> None:
    """The message names both plugins, their versions, and the kind."""
    other = Plugin("routes", "1.2.3", stages=(PLUGIN.stages[0],))
    with pytest.raises(PluginError) as caught:
        registry([PLUGIN, other])
    [one] = caught.value.diagnostics
    assert one.code == "E4002"
    assert f"`builtin` {PLUGIN.version}" in one.what
    assert "`routes` 1.2.3" in one.what
    assert f"`{PLUGIN.stages[0].name}` among stages" in one.what


@dataclass(frozen=True)
class Bare:
    """A kind without the rest of its face."""

    name: Any = "bare"
    spec: Any = None


@pytest.mark.parametrize("point", ["sources", "aggregates", "features", "models", "stages", "metrics"])
@pytest.mark.parametrize("kind", [Bare(), Bare(name=7), Bare(spec=int), object(), Bare])
def test_a_kind_that_breaks_its_contract_is_named(point: str, kind: object) -> None:
    """A kind that lacks what its extension point asks for is found when it is registered, not when it is used."""
    plugin = replace(Plugin("routes", "1.2.3"), **{point: (kind,)})
    with pytest.raises(PluginError) as caught:
        registry([PLUGIN, plugin])
    [one] = caught.value.diagnostics
    assert one.code == "E4003"
    assert "`routes` 1.2.3" in one.what


def test_a_plugin_whose_kinds_are_no_collection_is_named() -> None:
    """Kinds have to come as a tuple."""
    with pytest.raises(PluginError) as caught:
        registry([replace(PLUGIN, stages=7)])
    assert caught.value.diagnostics[0].code == "E4003"


def test_kinds_of_a_plugin_are_part_of_the_language() -> None:
    """A kind that a plugin brings can be written in a spec."""
    renamed = replace(PLUGIN.aggregates[0], name="tally")
    joined = registry([PLUGIN, Plugin("routes", "1.2.3", aggregates=(renamed,))])
    assert joined.kinds.aggregates["tally"] is renamed


def test_entry_points_are_read_in_order_of_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order in which packages were installed changes nothing."""
    points = [Point("b", Plugin("b", "1")), Point("a", Plugin("a", "1"))]
    monkeypatch.setattr(module, "entry_points", lambda **_: points)
    assert [plugin.name for plugin in installed.__wrapped__().plugins] == ["a", "b"]


def test_an_entry_point_without_a_package_is_named_by_its_value() -> None:
    """An entry point that stands in no package, as in a development tree, is named by what it points to."""
    point = EntryPoint("routes", "mlsd_no_such_module:PLUGIN", module.GROUP)
    with pytest.raises(PluginError) as caught:
        module._load(point)
    assert "mlsd_no_such_module:PLUGIN" in caught.value.diagnostics[0].what
