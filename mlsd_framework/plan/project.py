"""A project on disk and one system of it: the spec, its generated files, its workspace; compiled when first needed."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlsd_framework.plan import memory
from mlsd_framework.plan.blueprint import Blueprint
from mlsd_framework.runtime.workspace import PROJECT, Workspace

if TYPE_CHECKING:
    from mlsd_framework.ir.system import System
    from mlsd_framework.plan.compilation import Compiled


def project_root() -> Path:
    """Return the project's folder: `MLSD_PROJECT`, the nearest folder upward with `generated/` or `.mlsd/`, or here."""
    named = os.environ.get(PROJECT)
    if named:
        return Path(named).resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "generated").is_dir() or (folder / ".mlsd").is_dir():
            return folder
    return here


@dataclass(frozen=True)
class Project:
    """One spec of a project, resolved for one environment."""

    root: Path
    spec: Path
    environment: str | None = None
    assignments: tuple[str, ...] = ()

    @cached_property
    def compiled(self) -> "Compiled":
        """Compile the spec; raise `SpecError` with every fault."""
        from mlsd_framework.plan.compilation import compile_spec  # noqa: PLC0415 - an unchanged spec is not compiled

        return compile_spec(self.spec, environment=self.environment, assignments=self.assignments)

    @property
    def system(self) -> "System":
        """Return the compiled system."""
        return self.compiled.system

    @cached_property
    def files(self) -> dict[str, str]:
        """Return the generated files, path to text."""
        from mlsd_framework.targets import artefacts  # noqa: PLC0415 - the same

        return {one.path: one.text for one in artefacts(self.system, self.compiled.registry)}

    @cached_property
    def blueprint(self) -> Blueprint:
        """Return what the spec asks for, from memory where nothing that decides it has changed."""
        asked = (self.root, self.spec, self.environment, self.assignments)
        found = memory.recall(*asked)
        if found is None:
            from mlsd_framework.plan.drafting import blueprint_of  # noqa: PLC0415 - the same

            found = blueprint_of(self.system, self.files)
            plugins = self.compiled.registry.plugins
            brought = ((*one.sources, *one.features, *one.models, *one.stages, *one.metrics) for one in plugins)
            kinds = [kind for kinds in brought for kind in kinds]
            memory.remember(*asked, found, kinds)
        return found

    @property
    def generated(self) -> Path:
        """Return the folder of the generated files."""
        return self.root / "generated" / self.blueprint.system

    @property
    def workspace(self) -> Workspace:
        """Return the folder of the system's state."""
        return Workspace(self.root / ".mlsd" / self.blueprint.system)
