"""The extension points: all that a plugin author imports."""

from mlsd_framework.plugin.models import ModelKind
from mlsd_framework.plugin.plugin import Plugin
from mlsd_framework.plugin.retrievers import RetrieverKind
from mlsd_framework.plugin.stages import StageKind

__all__ = ["ModelKind", "Plugin", "RetrieverKind", "StageKind"]
