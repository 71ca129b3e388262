"""The files of the Spark target: one job for batches, one for streams, where the environment asks for them."""

from collections.abc import Iterator

from mlsd_framework.codegen.artefacts import Artefact
from mlsd_framework.ir.system import System
from mlsd_framework.plugin.registry import Registry
from mlsd_framework.targets.spark.batch import batch_file
from mlsd_framework.targets.spark.stream import stream_file


def spark_files(system: System, spec: str, registry: Registry) -> Iterator[Artefact]:  # noqa: ARG001 - every target has one signature
    """Yield the jobs of a system whose features Spark computes; both stand on the declarations in `training/`."""
    if system.environment.offline != "spark":
        return
    if system.stored:
        yield Artefact("spark/batch.py", batch_file(system, spec), "sources, features, label")
    if system.live:
        yield Artefact("spark/stream.py", stream_file(system, spec), "sources, features")
