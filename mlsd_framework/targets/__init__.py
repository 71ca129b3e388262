"""Every target in turn: a system in, the files of `generated/<system>/` out."""

from mlsd_framework.codegen.artefacts import MANIFEST, Artefact, manifest
from mlsd_framework.codegen.service_code import printable
from mlsd_framework.ir.system import System
from mlsd_framework.plugin.registry import Registry
from mlsd_framework.targets.bentoml.files import bentoml_files
from mlsd_framework.targets.docs.files import docs_files
from mlsd_framework.targets.feast.files import feast_files
from mlsd_framework.targets.indexer.files import indexer_files
from mlsd_framework.targets.spark.files import spark_files
from mlsd_framework.targets.stream.files import stream_files
from mlsd_framework.targets.training.files import training_files

TARGETS = (docs_files, feast_files, training_files, bentoml_files, stream_files, indexer_files, spark_files)


def artefacts(system: System, registry: Registry) -> tuple[Artefact, ...]:
    """Return every generated file, the manifest last; the same system gives the same bytes."""
    spec = printable(system.path)
    made = [one for target in TARGETS for one in target(system, spec, registry)]
    return (*made, Artefact(MANIFEST, manifest(system.name, system.path, made), "the whole spec"))
