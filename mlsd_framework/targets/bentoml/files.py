"""The files of the BentoML target."""

from collections.abc import Iterator

from mlsd_framework.codegen.artefacts import Artefact
from mlsd_framework.ir.system import System
from mlsd_framework.plugin.registry import Registry
from mlsd_framework.targets.bentoml.service import bentofile, service_file


def bentoml_files(system: System, spec: str, registry: Registry) -> Iterator[Artefact]:
    """Yield the service and its bentofile; nothing for a system that serves nothing."""
    if system.serving:
        yield Artefact("service/service.py", service_file(system, spec, registry), "serving")
        yield Artefact("service/bentofile.yaml", bentofile(system, spec), "serving")
