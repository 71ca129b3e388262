"""The files of the training target."""

from collections.abc import Iterator

from mlsd_framework.codegen.artefacts import Artefact
from mlsd_framework.ir.system import System
from mlsd_framework.plugin.registry import Registry
from mlsd_framework.targets.training.candidates import candidates_file
from mlsd_framework.targets.training.dataset import dataset_file
from mlsd_framework.targets.training.evaluate import evaluate_file
from mlsd_framework.targets.training.features import features_file
from mlsd_framework.targets.training.indexes import index_file
from mlsd_framework.targets.training.ranking import ranking_file
from mlsd_framework.targets.training.retrieval import catalogue_file, retriever_file
from mlsd_framework.targets.training.verify import is_provable, verify_file


def training_files(system: System, spec: str, registry: Registry) -> Iterator[Artefact]:
    """Yield the declarations, the training set, one script a model, and the evaluation."""
    yield Artefact("training/features.py", features_file(system, spec), "sources, features")
    if is_provable(system):
        yield Artefact("training/verify.py", verify_file(system, spec), "sources, features, label")
    if system.retrievers:
        yield Artefact("training/catalogue.py", catalogue_file(system, spec), "sources, entities")
    for retriever in system.retrievers:
        text = retriever_file(retriever, system, spec, registry)
        yield Artefact(f"training/{retriever.name}.py", text, f"models.{retriever.name}")
    for index in system.indexes:
        text = index_file(index, system, spec, registry)
        yield Artefact(f"training/index_{index.name}.py", text, f"indexes.{index.name}")
    if system.outcome is not None:
        yield Artefact("training/dataset.py", candidates_file(system, spec), "features, label, serving")
    elif system.label is not None and system.models:
        yield Artefact("training/dataset.py", dataset_file(system, spec), "features, label")
    elif not system.retrievers:
        return
    for model in system.models:
        yield Artefact(
            f"training/{model.name}.py", registry.models[model.kind].training(model, system), f"models.{model.name}"
        )
    if system.retrievers:
        yield Artefact("training/evaluate.py", ranking_file(system, spec, registry), "metrics, serving")
    else:
        yield Artefact("training/evaluate.py", evaluate_file(system, spec), "metrics, serving")
