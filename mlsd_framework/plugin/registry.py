"""Every kind at hand: the plugins that installed packages name under the entry-point group `mlsd.plugins`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import PluginError
from mlsd_framework.lower.kinds import Kinds
from mlsd_framework.plugin.models import ModelKind, ModelKinds
from mlsd_framework.plugin.plugin import Plugin
from mlsd_framework.plugin.retrievers import RetrieverKind
from mlsd_framework.plugin.stages import StageKind
from mlsd_framework.spec.base import SpecModel
from mlsd_framework.spec.derived import DerivedGroupSpec
from mlsd_framework.spec.metrics import MetricSpec
from mlsd_framework.spec.models import ModelSpec
from mlsd_framework.spec.retrievers import RetrieverSpec
from mlsd_framework.spec.serving import StageSpec
from mlsd_framework.spec.sources import SourceSpec
from mlsd_framework.spec.system import SpecKinds, SystemSpec, system_model

GROUP = "mlsd.plugins"
POINTS = ("sources", "aggregates", "features", "models", "retrievers", "stages", "metrics")

# What each extension point asks of a kind: the model of its YAML, and the names that it has to have.
_CONTRACTS: Final[dict[str, tuple[type[SpecModel] | None, tuple[str, ...]]]] = {
    "sources": (SourceSpec, ("name", "spec", "origin")),
    "aggregates": (None, ("name", "takes", "result", "parameter")),
    "features": (DerivedGroupSpec, ("name", "spec", "function", "lower")),
    "models": (
        ModelSpec,
        ("name", "spec", "supervised", "explains", "accepts", "outputs", "settings", "training", "score"),
    ),
    "retrievers": (RetrieverSpec, ("name", "spec", "settings", "source", "file")),
    "stages": (StageSpec, ("name", "spec", "lower", "code")),
    "metrics": (MetricSpec, ("name", "spec", "needs", "higher_is_better", "parameters")),
}


@dataclass(frozen=True)
class Registry:
    """The plugins, their kinds by name, and the model of a whole spec made of them."""

    plugins: tuple[Plugin, ...]
    kinds: Kinds
    models: Mapping[str, ModelKind]
    retrievers: Mapping[str, RetrieverKind]
    stages: Mapping[str, StageKind]
    spec: type[SystemSpec]

    @property
    def model_kinds(self) -> ModelKinds:
        """Return the kinds of models and of retrievers."""
        return ModelKinds(self.models, self.retrievers)


@cache
def installed() -> Registry:
    """Load every installed plugin; raise `PluginError` naming one that fails."""
    return registry([_load(point) for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)])


def registry(plugins: Iterable[Plugin]) -> Registry:
    """Join the kinds of several plugins; raise `PluginError` where two bring a kind of one name."""
    found = tuple(plugins)
    joined: dict[str, dict[str, Any]] = {point: _join(point, found) for point in POINTS}
    specs = {
        point: {name: kind.spec for name, kind in joined[point].items()} for point in POINTS if point != "aggregates"
    }
    return Registry(
        found,
        Kinds(**joined),
        joined["models"],
        joined["retrievers"],
        joined["stages"],
        system_model(SpecKinds(**specs)),
    )


def _join(point: str, plugins: tuple[Plugin, ...]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    owners: dict[str, Plugin] = {}
    for plugin in plugins:
        for kind in _kinds(point, plugin):
            if kind.name in joined:
                other = owners[kind.name]
                both = f"`{other.name}` {other.version} and `{plugin.name}` {plugin.version}"
                what = f"the plugins {both} both bring `{kind.name}` among {point}"
                raise PluginError(Diagnostic(code="E4002", what=what, help="uninstall one of them"))
            joined[kind.name] = kind
            owners[kind.name] = plugin
    return joined


def _kinds(point: str, plugin: Plugin) -> tuple[Any, ...]:
    """Return the kinds that a plugin brings to an extension point; each has what the point asks for."""
    who, kinds = f"the plugin `{plugin.name}` {plugin.version}", getattr(plugin, point)
    if not isinstance(kinds, tuple):
        what = f"{who} brings {point} that are a {type(kinds).__name__}"
        raise PluginError(Diagnostic(code="E4003", what=what, expected="a tuple of kinds"))
    model, asked = _CONTRACTS[point]
    for kind in kinds:
        shown = getattr(kind, "name", None)
        named = f"`{shown}`" if isinstance(shown, str) else f"a {type(kind).__name__}"
        lacking = [name for name in asked if not hasattr(kind, name)]
        if not isinstance(shown, str) or isinstance(kind, type) or lacking:
            missing = f"lacks {', '.join(f'`{name}`' for name in lacking)}" if lacking else "is no kind"
            what = f"{who} brings {named} among {point}, which {missing}"
            raise PluginError(Diagnostic(code="E4003", what=what, expected=f"an object with {', '.join(asked)}"))
        spec = getattr(kind, "spec", None)
        if model is not None and not (isinstance(spec, type) and issubclass(spec, model)):
            what = f"{who} brings `{shown}` among {point}, whose `spec` is no model of its YAML"
            raise PluginError(Diagnostic(code="E4003", what=what, expected=f"a subclass of `{model.__name__}`"))
    return kinds


def _load(point: EntryPoint) -> Plugin:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
    try:
        plugin = point.load()
    except (Exception, SystemExit) as fault:
        # Anything can fail in somebody else's import, `sys.exit()` too; it is named, not hidden.
        what = f"the plugin `{point.name}` of {package} fails to load: {type(fault).__name__}: {fault}"
        raise PluginError(Diagnostic(code="E4001", what=what, help=f"mend or uninstall {package}")) from fault
    if not isinstance(plugin, Plugin):
        what = f"the plugin `{point.name}` of {package} is a {type(plugin).__name__}"
        expected = "an instance of `mlsd_framework.plugin.Plugin`"
        raise PluginError(Diagnostic(code="E4001", what=what, expected=expected))
    return plugin
