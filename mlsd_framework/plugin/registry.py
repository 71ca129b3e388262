"""Every kind at hand: the plugins that installed packages name under the entry-point group `mlsd.plugins`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import PluginError
from mlsd_framework.lower.kinds import Kinds
from mlsd_framework.plugin.models import ModelKind
from mlsd_framework.plugin.plugin import Plugin
from mlsd_framework.plugin.stages import StageKind
from mlsd_framework.spec.system import SpecKinds, SystemSpec, system_model

GROUP = "mlsd.plugins"
POINTS = ("sources", "aggregates", "models", "stages", "metrics")

K = TypeVar("K")


@dataclass(frozen=True)
class Registry:
    """The plugins, their kinds by name, and the model of a whole spec made of them."""

    plugins: tuple[Plugin, ...]
    kinds: Kinds
    models: Mapping[str, ModelKind]
    stages: Mapping[str, StageKind]
    spec: type[SystemSpec]


@cache
def installed() -> Registry:
    """Load every installed plugin; raise `PluginError` naming one that fails."""
    return registry([_load(point) for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)])


def registry(plugins: Iterable[Plugin]) -> Registry:
    """Join the kinds of several plugins; raise `PluginError` where two bring a kind of one name."""
    found = tuple(plugins)
    joined: dict[str, dict[str, Any]] = {point: _join(point, found) for point in POINTS}
    kinds = Kinds(joined["sources"], joined["aggregates"], joined["models"], joined["stages"], joined["metrics"])
    models = SpecKinds(
        *({name: kind.spec for name, kind in joined[point].items()} for point in POINTS if point != "aggregates")
    )
    return Registry(found, kinds, joined["models"], joined["stages"], system_model(models))


def _join(point: str, plugins: tuple[Plugin, ...]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    owners: dict[str, Plugin] = {}
    for plugin in plugins:
        for kind in getattr(plugin, point):
            if kind.name in joined:
                other = owners[kind.name]
                what = f"the plugins `{other.name}` {other.version} and `{plugin.name}` {plugin.version} both bring `{kind.name}` among {point}"
                raise PluginError(Diagnostic(code="E4002", what=what, help="uninstall one of them"))
            joined[kind.name] = kind
            owners[kind.name] = plugin
    return joined


def _load(point: EntryPoint) -> Plugin:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
    try:
        plugin = point.load()
    except Exception as fault:  # noqa: BLE001 - anything can fail in somebody else's import; it is named, not hidden
        what = f"the plugin `{point.name}` of {package} fails to load: {type(fault).__name__}: {fault}"
        raise PluginError(Diagnostic(code="E4001", what=what, help=f"mend or uninstall {package}")) from fault
    if not isinstance(plugin, Plugin):
        what = f"the plugin `{point.name}` of {package} is a {type(plugin).__name__}"
        raise PluginError(Diagnostic(code="E4001", what=what, expected="an `mlsd_framework.plugin.Plugin`"))
    return plugin
