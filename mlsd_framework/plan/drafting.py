"""From a compiled system to its blueprint: one stage after the other, each with what it depends on."""

import re
from collections.abc import Mapping

from mlsd_framework.codegen import places
from mlsd_framework.codegen.artefacts import fingerprint as text_fingerprint
from mlsd_framework.codegen.item_conditions import condition_columns
from mlsd_framework.ir.fingerprint import system_fingerprint
from mlsd_framework.ir.serving import Endpoint
from mlsd_framework.ir.sources import Files, Process, Source
from mlsd_framework.ir.system import System
from mlsd_framework.plan import meaning, stages
from mlsd_framework.plan.blueprint import Blueprint
from mlsd_framework.plan.stages import (
    Build,
    BuildIndex,
    Catalogue,
    Dataset,
    Evaluate,
    Fetch,
    Materialise,
    Serve,
    Simulate,
    Stage,
    Train,
    Verify,
)
from mlsd_framework.targets.training.candidates import row_groups

_POINTER = re.compile(r"[ \t]*# from (?:the spec|\S+:\d+)$", re.MULTILINE)


def without_pointers(text: str) -> str:
    """Return generated text without the comments that point to lines of the spec: they move, the code does not."""
    return _POINTER.sub("", text)


def blueprint_of(system: System, files: Mapping[str, str]) -> Blueprint:
    """Return the blueprint of a system whose generated `files` (path to text) are known."""
    return _Drafting(system, files).blueprint()


class _Drafting:
    """One stage after the other, each with what it depends on."""

    def __init__(self, system: System, files: Mapping[str, str]) -> None:
        self._system = system
        self._files = files
        self._definitions = meaning.Definitions(system)
        self._generated = f"generated/{system.name}"
        self._workspace = places.workspace(system)

    def blueprint(self) -> Blueprint:
        system = self._system
        drafted: list[Stage] = [*self._data(), self._build()]
        if system.retrievers:
            drafted.append(self._catalogue())
        if system.models:
            drafted.append(self._dataset())
        if system.models or system.retrievers:
            drafted += [*self._retrievers(), *self._indexes(), *self._trains(), self._evaluate()]
        if system.stored:
            drafted.append(self._materialise())
        if "training/verify.py" in self._files:
            drafted.append(self._verify())
        if system.serving:
            drafted.append(self._serve())
        local = {one.name: places.data_paths(one, system) for one in system.sources if _is_local(one)}
        contract = {one.path: _contract(one) for one in system.serving}
        return Blueprint(system.name, system.path, system.environment.name, tuple(drafted), local, contract)

    def _data(self) -> list[Stage]:
        fetches: list[Stage] = []
        simulations: dict[str, Stage] = {}
        for source in self._system.sources:
            match source.origin:
                case Files() as files if files.remote:
                    fetches.append(self._fetch(source, files))
                case Process() as process:
                    folder = places.process_folder(process, self._system)
                    simulations[folder] = Simulate(
                        parts=((f"sources.{source.name}.with", meaning.value((process.function, process.settings))),),
                        outputs=(folder,),
                        process=process.name,
                        function=process.function,
                        settings=process.settings,
                        folder=folder,
                    )
        return [*fetches, *simulations.values()]

    def _fetch(self, source: Source, files: Files) -> Fetch:
        folder = places.fetched_folder(source, self._system)
        at = f"sources.{source.name}"
        return Fetch(
            parts=((f"{at}.path", meaning.value(files.uri)), (f"{at}.sha256", meaning.value(files.sha256))),
            outputs=(folder,),
            source=source.name,
            uri=files.uri,
            sha256=files.sha256,
            licence=files.licence,
            folder=folder,
        )

    def _build(self) -> Build:
        hashes = tuple(sorted((path, text_fingerprint(text)) for path, text in self._files.items()))
        parts = tuple(
            sorted(
                (path, text_fingerprint(without_pointers(text)))
                for path, text in self._files.items()
                if path != "manifest.json"
            )
        )
        return Build(parts=parts, folder=self._generated, files=hashes)

    def _catalogue(self) -> Catalogue:
        system = self._system
        parts = meaning.collected(
            entry
            for entity in system.catalogues
            for entry in (*meaning.catalogue_parts(entity, system), *meaning.condition_parts(entity, system))
        )
        return Catalogue(
            parts=parts,
            **self._origins(parts),
            outputs=tuple(
                f"{self._workspace}/catalogues/{entity.name}.{ending}"
                for entity in system.catalogues
                for ending in (
                    "safetensors",
                    *(["table.safetensors"] if condition_columns(system, entity.name) else []),
                )
            ),
            script=f"{self._generated}/training/catalogue.py",
        )

    def _retrievers(self) -> list[Train]:
        found = []
        for one in self._system.retrievers:
            parts = meaning.collected(meaning.retriever_parts(one, self._system))
            origins = self._origins(parts)
            found.append(
                Train(
                    parts=parts,
                    after=("catalogue", *origins["after"]),
                    data=origins["data"],
                    outputs=(f"{self._workspace}/models/{one.name}",),
                    model=one.name,
                    script=f"{self._generated}/training/{one.name}.py",
                )
            )
        return found

    def _indexes(self) -> list[BuildIndex]:
        found = []
        for one in self._system.indexes:
            parts = meaning.collected(
                [
                    (f"indexes.{one.name}", meaning.value((one.recall, one.k, one.engines))),
                    *meaning.retriever_parts(one.retriever, self._system),
                ]
            )
            origins = self._origins(parts)
            found.append(
                BuildIndex(
                    parts=parts,
                    after=(f"train {one.retriever.name}", *origins["after"]),
                    data=origins["data"],
                    outputs=(f"{self._workspace}/indexes/{one.name}",),
                    index=one.name,
                    script=f"{self._generated}/training/index_{one.name}.py",
                )
            )
        return found

    def _candidates(self) -> Dataset:
        """Retrieve again where a source of candidates, what is asked of it, or a feature of a candidate has changed."""
        system = self._system
        features = ((group.name, one.name) for group in system.stored for one in group.features)
        # The rows have the features of every group that a stage reads of candidates.
        read = (
            (f"serving.{one.path}.candidates", meaning.value(tuple(group.name for group in row_groups(system, one))))
            for one in system.serving
            if system.outcome is not None and one.path == system.outcome.endpoint
        )
        parts = meaning.collected(
            [
                *meaning.outcome_parts(system),
                *meaning.off_policy_parts(system),
                *self._definitions.of_names(features),
                *read,
            ]
        )
        origins = self._origins(parts)
        return Dataset(
            parts=parts,
            after=("catalogue", *origins["after"]),
            data=origins["data"],
            outputs=(f"{self._workspace}/dataset.parquet", f"{self._workspace}/retrieved"),
            script=f"{self._generated}/training/dataset.py",
        )

    def _dataset(self) -> Dataset:
        system = self._system
        if system.outcome is not None:
            return self._candidates()
        features = ((group.name, one.name) for group in system.features for one in group.features)
        asked = ((None, name) for name in _asked(system))
        parts = meaning.collected(
            [*meaning.label_parts(system), *self._definitions.of_names(features), *self._definitions.of_names(asked)]
        )
        return Dataset(
            parts=parts,
            **self._origins(parts),
            outputs=(f"{self._workspace}/dataset.parquet",),
            script=f"{self._generated}/training/dataset.py",
        )

    def _trains(self) -> list[Train]:
        found = []
        for model in self._system.models:
            parts = meaning.collected(
                [
                    *meaning.model_parts(model),
                    *meaning.label_parts(self._system),
                    *meaning.outcome_parts(self._system),
                    *self._definitions.of(model.features),
                ]
            )
            found.append(
                Train(
                    parts=parts,
                    **self._origins(parts),
                    outputs=(f"{self._workspace}/models/{model.name}",),
                    model=model.name,
                    script=f"{self._generated}/training/{model.name}.py",
                )
            )
        return found

    def _evaluate(self) -> Evaluate:
        parts = meaning.collected([*meaning.evaluation_parts(self._system), ("spec", system_fingerprint(self._system))])
        return Evaluate(
            parts=parts,
            after=(
                *(["dataset"] if self._system.models else []),
                *(f"train {model.name}" for model in self._system.trained),
                *(f"index {one.name}" for one in self._system.indexes),
            ),
            outputs=(f"{self._workspace}/evaluation",),
            script=f"{self._generated}/training/evaluate.py",
        )

    def _materialise(self) -> Materialise:
        system = self._system
        groups = system.stored
        store = system.environment.online_store
        features = ((group.name, one.name) for group in groups for one in group.features)
        parts = meaning.collected(
            [
                *self._definitions.of_names(features),
                (f"environments.{system.environment.name}.online_store", meaning.value(store)),
                *(
                    (f"features.{group.name}", meaning.value((group.key, tuple(one.name for one in group.features))))
                    for group in groups
                ),
            ]
        )
        embedded = (f"{self._workspace}/store",) if store is None else ()
        return Materialise(
            parts=parts,
            **self._origins(parts),
            outputs=tuple(f"{self._workspace}/features/{group.name}.parquet" for group in groups),
            present=embedded,
            script=f"{self._generated}/training/features.py",
            groups=tuple(group.name for group in groups),
        )

    def _verify(self) -> Verify:
        """Prove again what is computed in another way; models, thresholds and the service are no part of the proof.

        Nor are examples that are candidates: their script retrieves, and what it does with features is proved of these.
        """
        system = self._system
        features = ((group.name, one.name) for group in system.features for one in group.features)
        code = (
            (f"generated {path}", text_fingerprint(without_pointers(self._files[path])))
            for path in ("training/features.py", "training/dataset.py", "training/verify.py")
            if path in self._files and not (path == "training/dataset.py" and system.outcome is not None)
        )
        parts = meaning.collected(
            [
                *meaning.label_parts(system),
                *meaning.outcome_parts(system),
                *self._definitions.of_names(features),
                *code,
            ]
        )
        origins = self._origins(parts)
        after = ("catalogue", *origins["after"]) if system.outcome is not None else origins["after"]
        override = system.override
        return Verify(
            parts=parts,
            after=after,
            data=origins["data"],
            outputs=(f"{self._workspace}/proof.json", f"{self._workspace}/proof.html"),
            script=f"{self._generated}/training/verify.py",
            until=override.until.isoformat() if override else None,
            reason=override.reason if override else "",
        )

    def _serve(self) -> Serve:
        code = [
            (f"generated {path}", text_fingerprint(without_pointers(text)))
            for path, text in self._files.items()
            if path.startswith("service/")
        ]
        return Serve(
            parts=meaning.collected([*meaning.environment_parts(self._system), *code]),
            after=("evaluate",) if self._system.models or self._system.retrievers else (),
            folder=f"{self._generated}/service",
        )

    def _origins(self, parts: stages.Parts) -> dict[str, tuple[str, ...]]:
        """Return the stages that bring the data behind `parts`, and the sources whose local files count."""
        named = {name.split(".")[1] for name, _ in parts if name.startswith("sources.")}
        after, data = [], []
        for source in self._system.sources:
            if source.name not in named:
                continue
            match source.origin:
                case Process() as process:
                    after.append(f"simulate {places.process_folder(process, self._system).rsplit('/', 1)[-1]}")
                case Files() as files if files.remote:
                    after.append(f"fetch {source.name}")
                case Files():
                    data.append(source.name)
        return {"after": tuple(dict.fromkeys(after)), "data": tuple(data)}


def _asked(system: System) -> set[str]:
    """Return the columns of the examples that evaluation reads: of slices, of costs, of splits."""
    examples = system.examples
    if examples is None:
        return set()
    asked = {one.column for one in system.metrics.slices}
    asked |= {one.name for endpoint in system.serving for one in endpoint.request}
    asked |= {ref.name for model in system.models for ref in model.features if ref.group is None}
    asked |= {str(model.split.group) for model in system.models if hasattr(model.split, "group")}
    return {name for name in asked if examples.column(name)}


def _contract(endpoint: Endpoint) -> dict[str, str]:
    """Return the types of a request's columns; `?` stands after one that may be left out."""
    given = {name for name, _ in endpoint.defaults}
    return {one.name: f"{one.type}{'?' if one.name in given else ''}" for one in endpoint.columns}


def _is_local(source: Source) -> bool:
    return isinstance(source.origin, Files) and not source.origin.remote
