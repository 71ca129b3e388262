"""The files of the training target."""

from collections.abc import Iterator

from mlsd_framework.codegen.artefacts import Artefact
from mlsd_framework.ir.system import System
from mlsd_framework.plugin.registry import Registry
from mlsd_framework.targets.training.dataset import dataset_file
from mlsd_framework.targets.training.evaluate import evaluate_file
from mlsd_framework.targets.training.features import features_file


def training_files(system: System, spec: str, registry: Registry) -> Iterator[Artefact]:
    """Yield the declarations, the training set, one script a model, and the evaluation."""
    yield Artefact("training/features.py", features_file(system, spec), "sources, features")
    if system.label is None or not system.models:
        return
    yield Artefact("training/dataset.py", dataset_file(system, spec), "features, label")
    for model in system.models:
        yield Artefact(
            f"training/{model.name}.py", registry.models[model.kind].training(model, system), f"models.{model.name}"
        )
    yield Artefact("training/evaluate.py", evaluate_file(system, spec), "metrics, serving")
