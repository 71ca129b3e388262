"""What the package brings to mlsd; named under the entry-point group `mlsd.plugins`."""

from mlsd_framework.plugin import Plugin

from mlsd_graph import __version__
from mlsd_graph.kind import Graph

PLUGIN = Plugin(name="graph", version=__version__, features=(Graph(),))
